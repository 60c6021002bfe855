"""The ways of choosing that a report compares, and their expected accuracy on every problem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from stages.best_of_n.expected import Bools, Floats, Ints, backed, best_of, pass_at, random_choice, subsets, vote

Kind = Literal["pass@1", "random", "self-consistency", "best", "backed", "vote", "oracle"]
Scoring = tuple[str, str]
"""A critic's name and the aggregator that makes one score of its steps' scores; "" for a critic with one score."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is known of one problem's M candidates: verdicts, answer groups, and scores by critic and aggregator.

    All arrays have shape (M,); a score is NaN where a critic gave none. `weights` has what a vote weighs
    (`stages/best_of_n/weights.py`), for the scorings that votes use.
    """

    source: str
    correct: Bools
    groups: Ints
    scores: Mapping[Scoring, Floats]
    weights: Mapping[Scoring, Floats]


@dataclass(frozen=True, slots=True)
class Method:
    """One way of choosing.

    `best` takes the highest score, `vote` adds weights up by answer, and `backed` takes the highest weight times a power of
    how many candidates give the same answer.
    """

    kind: Kind
    scoring: Scoring | None = None

    @property
    def label(self) -> str:
        """What a person reads."""
        if self.scoring is None:
            return {"oracle": "oracle pass@N"}.get(self.kind, self.kind)
        critic, aggregate = self.scoring
        name = f"{critic} ({aggregate})" if aggregate else critic
        return {"vote": f"{name} × vote", "backed": f"{name}, backed"}.get(self.kind, name)


@dataclass(frozen=True, slots=True)
class Curve:
    """A method's expected accuracy on every problem at every size, and for votes the share of ties; shape (P, K)."""

    accuracy: Floats
    ties: Floats | None = None


def methods(scorings: Sequence[Scoring], voting: str) -> list[Method]:
    """All that is reported: every scoring as a ranking, and those of aggregator `voting` (or none) as weights."""
    weighing = [scoring for scoring in scorings if scoring[1] in ("", voting)]
    best = [Method("best", scoring) for scoring in scorings]
    backing = [Method("backed", scoring) for scoring in weighing]
    votes = [Method("vote", scoring) for scoring in weighing]
    return [Method("pass@1"), Method("random"), Method("self-consistency"), *best, *backing, *votes, Method("oracle")]


def curves(
    cases: Sequence[Case],
    wanted: Sequence[Method],
    sizes: Sequence[int],
    pinned: bool,
    most: int,
    seed: int,
    power: float,
) -> dict[Method, Curve]:
    """Every method's curve. All votes on a problem see the same subsets, at most `most` of each size.

    Args:
        power: of `backed`.
    """
    accuracy = {method: np.zeros((len(cases), len(sizes))) for method in wanted}
    ties = {
        method: np.zeros((len(cases), len(sizes)))
        for method in wanted
        if method.kind in ("self-consistency", "backed", "vote")
    }
    for row, case in enumerate(cases):
        for column, n in enumerate(sizes):
            masks = subsets(len(case.correct), n, most, (seed, row, n), pinned) if ties else None
            for method in wanted:
                if masks is not None and method in ties:
                    given = (case.groups, _weights(case, method), case.correct, masks)
                    found = backed(*given, power) if method.kind == "backed" else vote(*given)
                    accuracy[method][row, column], ties[method][row, column] = found
                else:
                    accuracy[method][row, column] = _exact(case, method, n, pinned)
    return {method: Curve(accuracy[method], ties.get(method)) for method in wanted}


def _weights(case: Case, method: Method) -> Floats:
    return np.ones(len(case.correct)) if method.scoring is None else case.weights[method.scoring]


def _exact(case: Case, method: Method, n: int, pinned: bool) -> float:
    if method.kind == "oracle":
        return pass_at(case.correct, n, pinned)
    if method.kind == "random":
        return random_choice(case.correct, n, pinned)
    if method.scoring is not None:
        return best_of(case.scores[method.scoring], case.correct, n, pinned)
    drawn = case.correct[1:] if pinned and len(case.correct) > 1 else case.correct
    return float(drawn.mean())
