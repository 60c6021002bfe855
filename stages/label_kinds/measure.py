"""The kinds of labels side by side: what each keeps of the labels of `mc`, and whom it agrees with. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.config import LabelConfig
from stages import metrics
from stages.judge.answer import CATEGORIES, VERDICTS
from stages.label import compared_with
from stages.label_rules import LABELS

if TYPE_CHECKING:
    from stages.label_kinds.steps import LabelledSteps

THRESHOLD = 0.5
"""Of `interval` where the run's own threshold is 0, which that kind can't have."""
RESAMPLES = 1000
LAST = 8
"""Positions from this one on are counted together."""
_RIGHT, _WRONG = LABELS.index("+"), LABELS.index("-")


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of the steps that both label: how many, the share of equal labels, and Krippendorff's α (nominal); null if not defined."""

    steps: int
    equal: float | None
    alpha: float | None


@dataclass(frozen=True, slots=True)
class Against:
    """Labels against a truth: of labelled steps the F1 of right and of wrong ones and the mean of both, with its 95 % interval.

    `accuracy` is the share of labels that are true.
    """

    steps: int
    macro_f1: float | None
    interval: tuple[float, float] | None
    f1_right: float | None
    f1_wrong: float | None
    accuracy: float | None


def kinds_of(config: LabelConfig, stops_at_success: bool, judged: bool) -> dict[str, LabelConfig]:
    """The kinds that a run's draws and judgements can give, by a name that says their settings.

    `mc` and `consensus` have the run's own threshold, and so has `interval`, if it is above 0. What the run's own kind is
    set to comes with its own settings.
    """
    mc = compared_with(config)
    found = {f"mc > {mc.threshold:g}": mc}
    if not stops_at_success:
        band = config if config.kind == "band" else LabelConfig(kind="band", missing=config.missing)
        sure = LabelConfig(kind="interval", threshold=mc.threshold or THRESHOLD, missing=config.missing)
        interval = config if config.kind == "interval" else sure
        found[f"band {band.low:g} to {band.high:g}"] = band
        found[f"interval {100 * interval.confidence:g} % at {interval.threshold:g}"] = interval
    if judged:
        found["judge"] = LabelConfig(kind="judge", missing=config.missing)
        if not stops_at_success:
            both: dict[str, Any] = {"kind": "consensus", "threshold": mc.threshold, "missing": config.missing}
            found["consensus by step"] = LabelConfig(**both)
            found["consensus on the first error"] = LabelConfig(**both, agreement="first_error")
    return found


def compare(steps: LabelledSteps, kinds: Mapping[str, LabelConfig]) -> dict[str, Any]:
    """The figures of every kind, over all steps, by source and by position; the first kind is `mc`.

    And with a judge, by category of what it calls wrong: how many steps, and how many of these `mc` labels `-`.
    """
    labels = {name: steps.labels(kind) for name, kind in kinds.items()}
    mc = next(iter(labels.values()))
    place = np.minimum(steps.position, LAST)
    groups = {
        "source": {name: steps.source == number for number, name in enumerate(steps.sources)},
        "position": {_at(number): place == number for number in np.unique(place).tolist()},
    }
    return {
        "steps": len(mc),
        "solutions": len(steps.lengths),
        "kinds": [
            {
                "name": name,
                "label": kinds[name].model_dump(mode="json"),
                **_figures(steps, found, mc, np.full(len(mc), True), resamples=RESAMPLES),
                **{
                    f"by_{group}": {part: _figures(steps, found, mc, mask) for part, mask in parts.items()}
                    for group, parts in groups.items()
                },
            }
            for name, found in labels.items()
        ],
        "categories": _categories(steps, mc),
    }


def _at(position: int) -> str:
    return f"{position}+" if position == LAST else f"{position}"


def _figures(
    steps: LabelledSteps, labels: np.ndarray, mc: np.ndarray, mask: np.ndarray, resamples: int = 0
) -> dict[str, Any]:
    labelled, by_mc = mask & (labels >= 0), mask & (mc >= 0)
    people = agreement(labels[mask], steps.people[mask])
    return {
        "labelled": int(labelled.sum()),
        "kept_share": _ratio(int((labelled & by_mc).sum()), int(by_mc.sum())),
        "right_share": _ratio(int((labelled & (labels == _RIGHT)).sum()), int(labelled.sum())),
        "with_mc": asdict(agreement(labels[mask], mc[mask])),
        "with_people": asdict(people) if people.steps else None,
        "oracles": {
            name: asdict(against(labels, truth, steps.problem, labelled, resamples))
            for name, truth in steps.truths.items()
        },
    }


def agreement(one: np.ndarray, other: np.ndarray) -> Agreement:
    """Between two labellings, an index into `LABELS` a step or -1."""
    both = (one >= 0) & (other >= 0)
    pairs = np.bincount(one[both] * len(LABELS) + other[both], minlength=len(LABELS) ** 2)
    total = int(pairs.sum())
    if not total:
        return Agreement(0, None, None)
    equal = int(pairs[_RIGHT * len(LABELS) + _RIGHT] + pairs[_WRONG * len(LABELS) + _WRONG])
    units = [(2, 0), (1, 1), (1, 1), (0, 2)]
    counts = np.repeat(np.array(units), pairs, axis=0)
    if np.count_nonzero(counts.sum(axis=0)) < 2:
        return Agreement(total, equal / total, None)
    import krippendorff

    return Agreement(
        total, equal / total, float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))
    )


def against(
    labels: np.ndarray, truth: np.ndarray, problem: np.ndarray, mask: np.ndarray, resamples: int = 0
) -> Against:
    """The labels where `mask` holds against a truth; the interval is a bootstrap over problems."""
    kept, problems = np.flatnonzero(mask), int(problem.max(initial=-1)) + 1
    steps = metrics.Steps(problem[kept], kept, truth[kept], (labels[kept] == _RIGHT).astype(float))
    counts = metrics.cells(steps, 0.5, problems)
    total = counts.sum(axis=0)
    spread = None
    if resamples and problems:
        drawn = np.concatenate([*metrics.bootstrap(problems, resamples, seed=0)])
        spread = metrics.interval(metrics.macro_f1(drawn @ counts))
    tp, _, _, tn = total.tolist()
    return Against(
        len(kept),
        _number(metrics.macro_f1(total)),
        spread,
        _number(metrics.f1_right(total)),
        _number(metrics.f1_wrong(total)),
        _ratio(tp + tn, len(kept)),
    )


def _categories(steps: LabelledSteps, mc: np.ndarray) -> dict[str, dict[str, int]]:
    if steps.judged is None:
        return {}
    wrong = steps.judged.verdict == VERDICTS.index("incorrect")
    found: dict[str, dict[str, int]] = {}
    for number, name in enumerate(CATEGORIES):
        mask = wrong & (steps.judged.category == number)
        if mask.any():
            found[name] = {"steps": int(mask.sum()), "wrong_by_mc": int((mask & (mc == _WRONG)).sum())}
    return found


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _number(value: Any) -> float | None:
    return None if math.isnan(float(value)) else float(value)
