"""How far a strategy's way of stopping pulls k / n away from mc."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache

import numpy as np

from pipeline.config import RolloutConfig
from stages.rollout.strategies import STRATEGIES, Progress, View


def bias(rate: float, config: RolloutConfig) -> float:
    """E[k / n] − p of a prefix whose draws succeed with probability `rate` = p: exact, over all that may happen.

    The prefix is the only one of a wrong solution. A strategy whose n does not depend on the draws gives 0, and so
    does `num_draws` 0, where there is no k / n.
    """
    if not config.num_draws:
        return 0.0
    ask_next, config = STRATEGIES[config.strategy].asks, config.model_copy(update={"audit_fraction": 0.0})
    alive, mean = {Progress(): 1.0}, 0.0
    while alive:
        after: dict[Progress, float] = defaultdict(float)
        for state, weight in alive.items():
            asks = ask_next(View("", False, [state]), config)
            if not asks:
                mean += weight * state.correct / state.drawn
                continue
            for more, chance in enumerate(_binomial(asks[0].n, rate)):
                after[Progress(state.drawn + asks[0].n, state.correct + more)] += weight * chance
        alive = after
    return mean - rate


@lru_cache
def largest_bias(config: RolloutConfig, points: int = 101) -> float:
    """The bias of the largest size over a grid of rates in [0, 1], with its sign."""
    return max((bias(float(rate), config) for rate in np.linspace(0, 1, points)), key=abs)


def _binomial(n: int, rate: float) -> list[float]:
    """The chances of 0 to n successes."""
    chances = np.array([1.0])
    for _ in range(n):
        chances = np.convolve(chances, [1 - rate, rate])
    return [float(chance) for chance in chances]
