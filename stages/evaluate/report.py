"""One report of a critic on a bench: everything that tables and plots show, as plain JSON values.

F1, AUC and accuracies are shares in [0, 1], with a 95 % bootstrap interval over problems; null is "not defined" or "not
measured". A measure is `{"value", "low", "high"}`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.errors import UserError
from stages import metrics
from stages.evaluate.bench import BenchSample
from stages.evaluate.critic import Scores
from stages.evaluate.threshold import Rule, is_for_tuning
from stages.metrics import Bools, Floats, Ints, Steps

Json = dict[str, Any]

LAST_POSITION = 12
"""Steps from here on share a row."""
CURVE_POINTS = 201


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What a report is about: the samples that the threshold was not tuned on, and the threshold."""

    kept: list[tuple[BenchSample, Scores]]
    columns: Steps
    threshold: float
    tuned_on: int


def prepare(samples: Sequence[BenchSample], scores: Sequence[Scores], rule: Rule) -> Prepared:
    """Follows the rule for the threshold.

    Raises:
        UserError: no step has both a label and a score, or a part of the bench is empty.
    """
    pairs = list(zip(samples, scores, strict=True))
    tunes = [rule.kind == "tuned" and is_for_tuning(sample.problem, rule.value or 0) for sample in samples]
    tuning = [pair for pair, tune in zip(pairs, tunes, strict=True) if tune]
    kept = [pair for pair, tune in zip(pairs, tunes, strict=True) if not tune]
    if not kept or (rule.kind == "tuned" and not tuning):
        raise UserError("--threshold tuned: one part has no samples: use another share, or a fixed threshold")
    columns = _columns(kept)
    if not len(columns.score):
        raise UserError("no labelled step has a score, so there is nothing to report: use another critic or bench")
    return Prepared(kept, columns, _threshold(rule, columns, _columns(tuning)), len(tuning))


def build(samples: Sequence[BenchSample], scores: Sequence[Scores], rule: Rule, resamples: int, seed: int) -> Json:
    """The report; with a tuned threshold, of the samples that it was not tuned on.

    Raises:
        UserError: as `prepare`.
    """
    ready = prepare(samples, scores, rule)
    kept = [sample for sample, _ in ready.kept]
    measured = _Measured(kept, ready.columns, ready.threshold, resamples, seed)
    sources = measured.by([sample.source for sample in kept])
    return {
        "threshold": {
            "rule": rule.kind,
            "value": ready.threshold,
            "tuned_on": ready.tuned_on if rule.kind == "tuned" else None,
            "text": _threshold_text(rule, ready.threshold, ready.tuned_on, len(samples)),
        },
        "bootstrap": {"resamples": resamples, "seed": seed, "level": 0.95, "problems": measured.problems},
        "steps": _step_counts(ready.kept),
        "overall": measured.overall(),
        "first_error_f1_mean": _mean([row["first_error_f1"]["value"] for row in sources.values()]),
        "pooled": measured.of(None),
        "sources": sources,
        "policies": measured.by([sample.policy for sample in kept]),
        "positions": measured.by_position(),
        "baselines": measured.baselines(),
        "calibration": _calibration(ready.columns),
        "curve": _curve(ready.columns),
    }


def _threshold(rule: Rule, columns: Steps, tuning: Steps) -> float:
    if rule.kind == "fixed":
        assert rule.value is not None
        return rule.value
    best = metrics.best_cut(tuning if rule.kind == "tuned" else columns)
    if best is None:
        raise UserError(f"--threshold {rule.kind}: needs right and wrong steps with scores: use a fixed threshold")
    return best


def _threshold_text(rule: Rule, threshold: float, tuned_on: int, total: int) -> str:
    says = f"a step is right if its score > {threshold:.6g}"
    if rule.kind == "tuned":
        return (
            f"{says}, the best pooled macro-F1 on {tuned_on} of {total} samples (SHA-256 of question and image names in "
            f"the lowest {rule.value:g} of its range); the numbers are of the other {total - tuned_on}"
        )
    if rule.kind == "swept":
        return f"{says}, the best pooled macro-F1 on these very samples: an upper bound"
    return f"{says}, fixed beforehand"


def _columns(pairs: Sequence[tuple[BenchSample, Scores]]) -> Steps:
    """The steps that have a label and a score."""
    rows = [
        (index, position, label == 1, score)
        for index, (sample, scores) in enumerate(pairs)
        for position, (label, score) in enumerate(zip(sample.labels, scores, strict=True))
        if label and score is not None
    ]
    sample, position, right, score = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Steps(
        np.array(sample, dtype=np.int64),
        np.array(position, dtype=np.int64),
        np.array(right, dtype=bool),
        np.array(score, dtype=float),
    )


def _step_counts(pairs: Sequence[tuple[BenchSample, Scores]]) -> Json:
    labels = [label for sample, _ in pairs for label in sample.labels]
    missing = sum(
        label != 0 and score is None
        for sample, scores in pairs
        for label, score in zip(sample.labels, scores, strict=True)
    )
    return {
        "samples": len(pairs),
        "all": len(labels),
        "right": labels.count(1),
        "wrong": labels.count(-1),
        "without_label": labels.count(0),
        "not_measured": missing,
    }


class _Measured:
    """Decisions at one threshold, and the bootstrap weights that every number shares."""

    def __init__(
        self, samples: Sequence[BenchSample], steps: Steps, threshold: float, resamples: int, seed: int
    ) -> None:
        self._samples, self._steps, self._threshold = samples, steps, threshold
        problems = [sample.problem for sample in samples]
        _, self._problem = np.unique(problems, return_inverse=True)
        self._weights = metrics.resamples(problems, resamples, seed)
        self._labelled = np.array([sum(map(abs, sample.labels)) for sample in samples])
        self._right = np.array([sample.labels.count(1) for sample in samples])

    @property
    def problems(self) -> int:
        return len(np.unique(self._problem))

    def of(self, members: Bools | None, first_error: bool = True, steps: Steps | None = None) -> Json:
        """All measures of the samples in `members` (None: all), or of these steps of theirs."""
        part = self._steps if steps is None else steps
        if members is None:
            members = np.ones(len(self._samples), dtype=bool)
        part = part.where(members[part.sample])
        # One problem again and again would look like certainty.
        weights = self._weights if len(np.unique(self._problem[part.sample])) > 1 else self._weights[:0]
        counts = metrics.cells(part, self._threshold, len(self._samples))
        one, many = counts.sum(0), weights @ counts
        right, wrong = int(part.right.sum()), int((~part.right).sum())
        row: Json = {
            "samples": int(members.sum()) if steps is None else len(np.unique(part.sample)),
            "right": right,
            "wrong": wrong,
            "f1_right": _measure(metrics.f1_right, one, many),
            "f1_wrong": _measure(metrics.f1_wrong, one, many),
            "macro_f1": _measure(metrics.macro_f1, one, many),
            "auc": _auc(part, weights),
        }
        if steps is None:
            row["not_measured"] = int(self._labelled[members].sum()) - right - wrong
        return row | self._first_error(part, members, weights) if first_error else row

    def by(self, names: Sequence[str]) -> dict[str, Json]:
        """The measures of each group of samples, in order of its name."""
        column = np.array(names)
        return {str(name): self.of(column == name) for name in np.unique(column)}

    def by_position(self) -> dict[str, Json]:
        """The measures of first steps, second steps, …"""
        place = np.minimum(self._steps.position, LAST_POSITION - 1)
        names = {index: f"{index + 1}" for index in range(LAST_POSITION - 1)} | {LAST_POSITION - 1: f"{LAST_POSITION}+"}
        return {
            names[index]: self.of(None, first_error=False, steps=self._steps.where(place == index))
            for index in map(int, np.unique(place))
        }

    def overall(self) -> Json:
        """Three ways to make one macro-F1 of all sources; the paper doesn't say which one its "overall" is."""
        column = np.array([sample.source for sample in self._samples])
        counts = metrics.cells(self._steps, self._threshold, len(self._samples))
        groups = [column == name for name in np.unique(column)]
        one = np.stack([counts[group].sum(0) for group in groups])
        many = np.stack([self._weights[:, group] @ counts[group] for group in groups], axis=1)

        def pooled(cells: Ints) -> Floats:
            return metrics.macro_f1(cells.sum(-2))

        def by_steps(cells: Ints) -> Floats:
            steps = cells.sum(-1)
            values = np.where(steps > 0, metrics.macro_f1(cells), 0.0)
            return (values * steps).sum(-1) / steps.sum(-1)

        def plain(cells: Ints) -> Floats:
            return metrics.macro_f1(cells).mean(-1)

        ways: dict[str, Callable[[Any], Floats]] = {"pooled": pooled, "step_weighted": by_steps, "plain_mean": plain}
        return {name: _measure(way, one, many) for name, way in ways.items()}

    def baselines(self) -> Json:
        """Macro-F1 without looking: every step called right, and a fair coin (F1 of the expected counts)."""
        column = np.array([sample.source for sample in self._samples])
        right, wrong = self._right, self._labelled - self._right

        def row(cells: Callable[[int, int], Sequence[float]]) -> Json:
            def value(members: Bools) -> float | None:
                return _number(metrics.macro_f1(cells(int(right[members].sum()), int(wrong[members].sum()))))

            sources = {str(name): value(column == name) for name in np.unique(column)}
            return {"pooled": value(np.ones(len(column), dtype=bool)), "sources": sources}

        return {
            "always_right": row(lambda r, w: (r, 0, w, 0)),
            "fair_coin": row(lambda r, w: (r / 2, r / 2, w / 2, w / 2)),
        }

    def _first_error(self, part: Steps, members: Bools, resampled: Ints) -> Json:
        """Shares of samples whose first wrong step is found (or none, where there is none).

        Over samples of which every labelled step has a score; `first_error_f1` is the harmonic mean of the shares
        among samples with and without an error (arXiv 2412.06559).
        """
        scored = np.bincount(part.sample, minlength=len(self._samples))
        usable = members & (scored == self._labelled) & (self._labelled > 0)
        truth, found = metrics.first_errors(part, self._threshold, len(self._samples))
        masks = {
            "first_error_accuracy": usable,
            "first_error_accuracy_erroneous": usable & (truth >= 0),
            "first_error_accuracy_all_right": usable & (truth < 0),
        }

        def shares(weights: Floats | Ints) -> list[Floats]:
            return [metrics.weighted_share((truth == found)[mask], weights[..., mask]) for mask in masks.values()]

        one, many = shares(np.ones(len(self._samples))), shares(resampled)
        row: Json = {"first_error_samples": int(usable.sum())}
        row |= {name: with_interval(*pair) for name, *pair in zip(masks, one, many, strict=True)}
        f1 = [metrics.harmonic(np.stack(each[1:], axis=-1)) for each in (one, many)]
        return row | {"first_error_f1": with_interval(f1[0], f1[1])}


def _auc(part: Steps, weights: Ints) -> Json:
    # In slices: the weights of all steps in all resamples at once would be large.
    values = [
        metrics.auc(part.right, part.score, rows[:, part.sample])
        for rows in np.array_split(weights, max(1, len(weights) // 50))
    ]
    return with_interval(metrics.auc(part.right, part.score), np.concatenate(values))


def _measure(statistic: Callable[[Any], Floats], one: Ints, many: Ints) -> Json:
    return with_interval(statistic(one), statistic(many))


def with_interval(value: Floats, resampled: Floats) -> Json:
    number = _number(value)
    ends = metrics.interval(resampled) if number is not None else None
    return {"value": number, "low": ends[0] if ends else None, "high": ends[1] if ends else None}


def _mean(values: Sequence[float | None]) -> float | None:
    """Of the sources' values, if every source has one: ProcessBench's average."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def _number(value: Floats) -> float | None:
    return None if np.isnan(value) else float(value)


def _calibration(columns: Steps) -> Json:
    bins, error = metrics.reliability(columns)
    return {"ece": error, "bins": [dataclasses.asdict(one) for one in bins]}


def _curve(columns: Steps) -> list[Mapping[str, float | None]]:
    """F1 from each threshold to the next, thinned out evenly to at most `CURVE_POINTS`."""
    thresholds, counts = metrics.cuts(columns)
    picked = np.unique(np.linspace(0, len(thresholds) - 1, CURVE_POINTS).round().astype(int))
    ways = {"f1_right": metrics.f1_right, "f1_wrong": metrics.f1_wrong, "macro_f1": metrics.macro_f1}
    columns_of = {name: way(counts[picked]) for name, way in ways.items()}
    return [
        {"threshold": float(threshold), **{name: _number(values[index]) for name, values in columns_of.items()}}
        for index, threshold in enumerate(thresholds[picked])
    ]
