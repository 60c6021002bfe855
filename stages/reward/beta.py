"""How sure a model is that learnt counts: of every step a Beta, whose mean is the score.

Two logits, of `+` and `-`, say both: their difference the mean α / (α + β), their height the concentration α + β
(`stages/train/loss.py` trains them so). The interval holds the share of draws that would succeed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST_LOG_CONCENTRATION = 6.0
"""α + β stays below e⁶ ≈ 400 draws, where a Beta-Binomial can't be told from a binomial any more."""
LEVEL = 0.95
"""The probability that an interval holds."""
_GRAIN = 1e-9
MARGIN = 1e-6
"""Of a mean to 0 and 1: at these α or β would be 0."""


def concentration(size: Any) -> Any:
    """α + β, in [e⁻⁶, e⁶].

    Args:
        size: a tensor of any shape, the logarithm of the sum of both labels' exponentiated logits.
    """
    return (LARGEST_LOG_CONCENTRATION * (size / LARGEST_LOG_CONCENTRATION).tanh()).exp()


class StepScores(list[float]):
    """The scores of a solution's steps by a model that learnt counts: the means of Betas with these concentrations."""

    def __init__(self, scores: Sequence[float], concentrations: Sequence[float]) -> None:
        super().__init__(scores)
        self.concentrations = list(concentrations)


def intervals_of(scores: Sequence[float]) -> list[tuple[float, float]] | None:
    """The steps' intervals; None where their model gives none."""
    return intervals(scores, scores.concentrations) if isinstance(scores, StepScores) else None


def intervals(
    means: Sequence[float], concentrations: Sequence[float], level: float = LEVEL
) -> list[tuple[float, float]]:
    """(low, high) of each Beta, so that it lies between them with a probability of at least `level`.

    Of the intervals from 0, up to 1, and with equal tails the shortest: a Beta that rises towards an end has that end in
    it, where most steps are. It is widened to hold the mean, which a Beta that is nearly all at one end may have outside.

    Args:
        means: in [0, 1].
        concentrations: above 0.
        level: in (0, 1).
    """
    from scipy.special import betaincinv

    mean = np.asarray(means, dtype=np.float64)
    a, b = shapes(mean, np.asarray(concentrations, dtype=np.float64))
    tails = np.array([0.0, (1 - level) / 2, 1 - level])[:, None]
    # Outwards to whole billionths: nearer to an end a float tells no parts of a Beta apart that rises towards it.
    low = np.floor(betaincinv(a, b, tails) / _GRAIN).astype(np.int64)
    high = np.ceil(betaincinv(a, b, np.minimum(tails + level, 1.0)) / _GRAIN).astype(np.int64)
    shortest = (high - low).argmin(axis=0)[None]
    ends = [np.take_along_axis(each, shortest, axis=0)[0] * _GRAIN for each in (low, high)]
    return list(zip(np.minimum(ends[0], mean).tolist(), np.clip(ends[1], mean, 1.0).tolist(), strict=True))


def shapes(
    mean: NDArray[np.float64], concentrations: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """α and β."""
    inside = mean.clip(MARGIN, 1 - MARGIN)
    return inside * concentrations, (1 - inside) * concentrations
