"""Targets: what each step of a published row is trained on. Pure.

| kind | labels | a step's target |
|---|---|---|
| `value` | + − | the step's label: + if mc is above the threshold (arXiv 2503.10291, section 4) |
| `advantage` | + = − | the sign of mc_i − mc_{i−1}, the same section; `=` within the tolerance |
| `soft` | + − | mc as the probability of + |
| `counts` | + − | k successes of n draws, under a Beta-Binomial likelihood (as in arXiv 2605.15529) |
| `outcome` | + − | the whole response as one step, one label |

The paper doesn't say what comes before the first step. Here mc_0 is the problem's: the share of its solutions in the
data that are right, which estimates how often the policy succeeds from nothing, as mc_i does from step i. A problem
without a judged solution leaves the first step unmeasured. Where mc_{i−1} is not measured neither is the advantage.
A tie is a difference of at most the tolerance (0: exactly equal), so a step after a hopeless one is `=`, not `−`.

What was not measured has no target: None, and the loss skips the step. Neither has a step whose label is withheld as
doubtful (docs/label_kinds.md), but under `advantage`, which reads scores alone. A step's `label` is given: `labels.py`
decides it.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["value", "advantage", "soft", "counts", "outcome"]
Reduction = Literal["step", "solution", "square"]

LABELS: Mapping[Kind, Mapping[str, float]] = {
    "value": {"+": 1.0, "-": 0.0},
    "advantage": {"+": 1.0, "=": 0.0, "-": -1.0},
    "soft": {"+": 1.0, "-": 0.0},
    "counts": {"+": 1.0, "-": 0.0},
    "outcome": {"+": 1.0, "-": 0.0},
}
"""The labels of each kind with their weights: a step's score is the sum of P(label) · weight (section 4)."""
_ROUNDING = 1e-9
"""Above what subtracting two shares of draws rounds, below any difference of two: 4/10 − 3/10 is more than 0.1 by 3e-17."""


@dataclass(frozen=True, slots=True)
class Target:
    """What one step is trained on.

    `label` is the hard label, an index into the kind's labels: metrics and class weights use it. `mass` has an entry
    a label: a distribution, for `counts` the draws (k, n − k).
    """

    label: int
    mass: tuple[float, ...]


def step_targets(
    steps: Sequence[Mapping[str, Any]], kind: Kind, tolerance: float = 0.0, before: float | None = None
) -> list[Target | None]:
    """A target a step, None where nothing was measured.

    Args:
        steps: the published `steps_with_score`, with the labels to learn.
        kind: any but `outcome`.
        tolerance: of `advantage`: differences up to this are ties.
        before: of `advantage`: mc before the first step.
    """
    if kind == "advantage":
        scores = [before, *(step["score"] for step in steps)]
        return [_advantage(*pair, tolerance) for pair in itertools.pairwise(scores)]
    make = {"value": _value, "soft": _soft, "counts": _counts}[kind]
    return [make(step) for step in steps]


def outcome_target(row: Mapping[str, Any]) -> Target | None:
    """The response's own verdict; without one the last step's label, as the reference does."""
    if row["response_correct"] is not None:
        return _hard(row["response_correct"])
    return _value(row["steps_with_score"][-1])


def stop_at_first_error(targets: Sequence[Target | None], labels: int = 2) -> list[Target | None]:
    """The targets up to and with the first one that carries the worst label (the paper's "early stop")."""
    for index, target in enumerate(targets):
        if target is not None and target.label == labels - 1:
            return list(targets[: index + 1])
    return list(targets)


def trimmed(targets: Sequence[Target | None]) -> list[Target | None]:
    """Without the unmeasured steps at the end: they teach nothing, and nothing before them depends on them."""
    last = max((index for index, target in enumerate(targets) if target is not None), default=-1)
    return list(targets[: last + 1])


def step_weight(measured: int, reduction: Reduction) -> float:
    """The weight of one step in a solution with `measured` targets: of 1, 1/x or 1/√x.

    A batch's loss is a weighted mean over its steps: `step` counts steps alike, `solution` counts solutions alike,
    `square` lies between the two, as InternVL2.5's packed training does.
    """
    return float({"step": 1.0, "solution": measured**-1.0, "square": measured**-0.5}[reduction])


def class_weights(counts: Sequence[int], setting: str | Mapping[str, float], names: Sequence[str]) -> list[float]:
    """A weight a label: all 1, the inverse of how frequent each is (`balanced`), or as given by name (1 if not)."""
    if isinstance(setting, Mapping):
        return [float(setting.get(name, 1.0)) for name in names]
    if setting == "balanced":
        present = sum(count > 0 for count in counts)
        return [sum(counts) / (present * count) if count else 1.0 for count in counts]
    return [1.0] * len(counts)


def solved_share(rows: Iterable[Mapping[str, Any]]) -> float | None:
    """The share of a problem's solutions that are right, of those with a verdict."""
    verdicts = Counter(row["response_correct"] for row in rows)
    judged = verdicts[True] + verdicts[False]
    return verdicts[True] / judged if judged else None


def all_right(targets: Iterable[Sequence[Target | None]]) -> bool:
    """Is there no step of the problem with any but the best label?"""
    return all(target is None or target.label == 0 for solution in targets for target in solution)


def selection_score(steps: Sequence[Mapping[str, Any]], alpha: float) -> float | None:
    """[p(1 − p) + α] · R: how informative a solution is (arXiv 2602.04145).

    p is the share of right steps and R their mean mc, of steps with a label; a solution without a measured one has no score.
    """
    measured = [step for step in steps if step["score"] is not None and step["label"] is not None]
    scores = [step["score"] for step in measured]
    right = [step["score"] for step in measured if step["label"] == "+"]
    if not scores:
        return None
    share = len(right) / len(scores)
    return (share * (1 - share) + alpha) * (sum(right) / len(right) if right else 0.0)


def _hard(right: bool) -> Target:
    return Target(0, (1.0, 0.0)) if right else Target(1, (0.0, 1.0))


def _value(step: Mapping[str, Any]) -> Target | None:
    return None if step["label"] is None else _hard(step["label"] == "+")


def _soft(step: Mapping[str, Any]) -> Target | None:
    score = step["score"]
    if score is None or step["label"] is None:
        return None
    return Target(int(step["label"] != "+"), (score, 1.0 - score))


def _counts(step: Mapping[str, Any]) -> Target | None:
    k, n = step["num_mc_correct"], step["num_mc_total"]
    return Target(int(step["label"] != "+"), (float(k), float(n - k))) if n and step["label"] is not None else None


def _advantage(before: float | None, after: float | None, tolerance: float) -> Target | None:
    if before is None or after is None:
        return None
    gain = after - before
    label = 1 if abs(gain) <= tolerance + _ROUNDING else 0 if gain > 0 else 2
    return Target(label, tuple(float(index == label) for index in range(3)))
