"""Rounds of draws until mc is known well enough."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pipeline.config import RolloutConfig
from stages.rollout.strategies.first_success import to_round_end
from stages.rollout.strategies.view import Ask, Progress, View

LEVEL = 0.90
"""Probability mass of the interval."""
GRID = 8192
"""Points of the numerical integral; the half-width is then exact to about 1e-6."""


def sequential_ci(view: View, config: RolloutConfig) -> list[Ask]:
    """Every prefix in rounds of `ci_round`, until the Jeffreys interval of its mc is narrow.

    Without a success it goes on to `num_draws`, so that the label at threshold 0 is that of `fixed`. The stop
    depends on the draws, so k / n is a little biased (`stages/rollout/bias.py` says how much).
    """
    missing = [_missing(prefix, config) for prefix in view.prefixes]
    return [Ask(step, n) for step, n in enumerate(missing) if n]


def _missing(prefix: Progress, config: RolloutConfig) -> int:
    if prefix.pending:
        return 0
    if prefix.correct and half_width(prefix.correct, prefix.drawn) <= config.ci_half_width:
        return 0
    return to_round_end(prefix.drawn, (config.ci_round,), config.num_draws)


@lru_cache(maxsize=4096)
def half_width(correct: int, drawn: int) -> float:
    """Half the width of the equal-tailed 90 % interval of Beta(k + ½, n − k + ½), Jeffreys' posterior of k out of n.

    With x = sin²θ the density becomes sin²ᵏθ · cos²⁽ⁿ⁻ᵏ⁾θ on [0, π/2], which is smooth at both ends.
    """
    theta = np.linspace(0, np.pi / 2, GRID)
    density = np.sin(theta) ** (2 * correct) * np.cos(theta) ** (2 * (drawn - correct))
    mass = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    tails = np.array([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    low, high = np.sin(np.interp(tails, mass / mass[-1], theta)) ** 2
    return float(high - low) / 2
