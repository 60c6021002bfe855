"""What a candidate's vote weighs: a number of at least 0, from its steps' scores.

A score of a value or an outcome model is a probability, and the vote weighs the candidate's aggregated score. An
advantage model's scores lie in [−1, 1], and a sum of them may be negative: then more votes for an answer would speak
against it. So step scores are first put on [0, 1] by the bounds of the model's label weights, which leaves
probabilities as they are. The two aggregates of logarithms, made for ranking, are taken back to what they stand for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from stages.reward.aggregate import AGGREGATORS

_STANDS_FOR: Mapping[str, Callable[[float], float]] = {
    "sum_log": math.exp,
    "sum_log_odds": lambda odds: 1 / (1 + math.exp(-odds)) if odds > 0 else math.exp(odds) / (1 + math.exp(odds)),
}
"""Of a sum of logarithms the product; of a sum of log-odds its probability."""


def vote_weight(scores: Sequence[float], bounds: tuple[float, float], aggregate: str) -> float:
    """The weight of a candidate whose steps have these scores, all within `bounds`; an outcome model gives one score."""
    lowest, highest = bounds
    shares = [min(max((score - lowest) / (highest - lowest), 0.0), 1.0) for score in scores]
    weight = AGGREGATORS[aggregate](shares)
    return _STANDS_FOR.get(aggregate, float)(weight)
