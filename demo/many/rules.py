"""Rules of choosing among many candidates, and their expected accuracy on each problem. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stages.best_of_n.expected import Bools, Floats, Ints, backed, best_of, subsets, vote
from stages.reward.aggregate import AGGREGATORS

StepLists = Sequence[Sequence[float] | None]
PRIOR = "likelihood"
"""The critic that says how likely the policy was to write each step (`demo/many/likelihood.py`)."""
POWERS = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
"""What is tried for the weight of a prior, of the policy's likelihood or of how many say the same."""
_LEAST = 1e-12
mean = AGGREGATORS["mean"]


@dataclass(frozen=True, slots=True)
class Case:
    """One problem's M candidates: verdicts, answer groups, the critics' scores of their steps, and the lower ends of those
    critics that have intervals.
    """

    problem_id: str
    source: str
    correct: Bools
    groups: Ints
    scores: Mapping[str, StepLists]
    low: Mapping[str, StepLists]


@dataclass(frozen=True, slots=True)
class Rule:
    """A way to choose. `needs` are the critics beside the one that judges; `of` gives the expected accuracy at N.

    `family` is the same for rules that differ by `power` alone.
    """

    family: str
    of: Callable[[Case, str, int], float]
    needs: tuple[str, ...] = ()
    power: float | None = None
    lower: bool = False

    @property
    def name(self) -> str:
        return self.family if self.power is None else f"{self.family}, p = {self.power:g}"

    def fits(self, case: Case, critic: str) -> bool:
        """Whether the case has what the rule needs with this critic."""
        known = case.scores.keys() >= {critic, *self.needs} and critic not in self.needs
        return known and (not self.lower or critic in case.low)


def aggregated(lists: StepLists, how: Callable[[Sequence[float]], float]) -> Floats:
    """A number a candidate, NaN where a critic gave none; shape (M,)."""
    return np.array([np.nan if own is None else how(own) for own in lists], dtype=np.float64)


def log_likelihood(case: Case) -> Floats:
    """log P of each response under the policy; shape (M,)."""
    return aggregated(case.scores[PRIOR], lambda own: math.fsum(math.log(max(p, _LEAST)) for p in own))


def all_rules(others: Sequence[str]) -> list[Rule]:
    """Everything that is tried. `others` are critics whose scores are taken with the judging one's, the lower of both."""
    return [
        Rule("mean of the steps", _ranked(lambda case, critic: aggregated(case.scores[critic], mean))),
        Rule("min of the steps", _ranked(lambda case, critic: aggregated(case.scores[critic], min))),
        Rule("product of the steps", _ranked(lambda case, critic: aggregated(case.scores[critic], math.prod))),
        Rule("mean of the lower ends", _ranked(lambda case, critic: aggregated(case.low[critic], mean)), lower=True),
        *(Rule(f"the lower of it and `{other}`", _ranked(_lower_of(other)), (other,)) for other in others),
        *(Rule("× likelihood^p", _ranked(_with_prior(power)), (PRIOR,), power) for power in POWERS),
        *(Rule("× same answers^p", _backed(power), (), power) for power in POWERS),
        Rule("× vote", _voted),
    ]


def accuracy(cases: Sequence[Case], rule: Rule, critic: str, sizes: Sequence[int]) -> Floats:
    """Shape (problems, sizes)."""
    return np.array([[rule.of(case, critic, n) for n in sizes] for case in cases])


def _ranked(rank: Callable[[Case, str], Floats]) -> Callable[[Case, str, int], float]:
    return lambda case, critic, n: best_of(rank(case, critic), case.correct, n)


def _lower_of(other: str) -> Callable[[Case, str], Floats]:
    return lambda case, critic: np.minimum(aggregated(case.scores[critic], mean), aggregated(case.scores[other], mean))


def _with_prior(power: float) -> Callable[[Case, str], Floats]:
    def rank(case: Case, critic: str) -> Floats:
        return np.log(np.maximum(aggregated(case.scores[critic], mean), _LEAST)) + power * log_likelihood(case)

    return rank


def _backed(power: float) -> Callable[[Case, str, int], float]:
    return lambda case, critic, n: backed(
        case.groups, aggregated(case.scores[critic], mean), case.correct, _masks(case, n), power
    )[0]


def _voted(case: Case, critic: str, n: int) -> float:
    return vote(case.groups, aggregated(case.scores[critic], mean), case.correct, _masks(case, n))[0]


def _masks(case: Case, n: int) -> Bools:
    return subsets(len(case.correct), n, 256, (int(case.problem_id[:8], 16), n))
