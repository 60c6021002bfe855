"""One score of a solution from the scores of its steps."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence

# Keeps the logarithm of a score of 0, or of odds at 1, finite.
EPSILON = 1e-6


def sum_log(scores: Sequence[float]) -> float:
    """The logarithm of the product, which stays apart from 0 for long solutions."""
    return math.fsum(math.log(_inside(score)) for score in scores)


def sum_log_odds(scores: Sequence[float]) -> float:
    """The sum of log p / (1 - p)."""
    return math.fsum(math.log(p / (1 - p)) for p in map(_inside, scores))


def _inside(score: float) -> float:
    return min(max(score, EPSILON), 1 - EPSILON)


AGGREGATORS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "mean": statistics.fmean,
    "min": min,
    "last": lambda scores: scores[-1],
    "product": math.prod,
    "max": max,
    "sum": math.fsum,
    "sum_log": sum_log,
    "sum_log_odds": sum_log_odds,
}
"""By name; mean is the paper's default (arXiv 2503.10291, section 4). Each wants at least one score.

The product and the sums of logarithms are meant for probabilities; to the logarithms an advantage below 0 is `EPSILON`.
"""


def aggregate(scores: Sequence[float]) -> dict[str, float]:
    """Every aggregate of at least one score."""
    return {name: float(function(scores)) for name, function in AGGREGATORS.items()}
