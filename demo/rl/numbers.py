"""Means and differences over problems and seeds, with intervals that know how few the seeds are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean with its 95 % interval, which is null where nothing can be said of the spread; and each seed's own mean."""

    value: float
    low: float | None
    high: float | None
    by_seed: tuple[float, ...]

    @property
    def verdict(self) -> str:
        """Of a difference."""
        if self.low is None or self.high is None:
            return "not measured"
        return "higher" if self.low > 0 else "lower" if self.high < 0 else "undecided"


def mean(values: Floats, level: float = 0.95) -> Mean:
    """The mean of `values`, shape (seeds, problems); problems that were not measured (NaN) with some seed are left out.

    Another sample of problems and other seeds would both have given another mean. The squared standard error is the sum
    of both parts: the variance of the problems' means over the number of problems, and that of the seeds' means over the
    number of seeds. What is left of a draw counts in both, so the interval is rather too wide. Student's t has the
    degrees of freedom of Welch and Satterthwaite: 2 where three seeds make the spread, those of the problems where these do. With
    one seed the interval is that of the problems alone.
    """
    from scipy import stats

    kept = values[:, ~np.isnan(values).any(axis=0)]
    seeds, problems = kept.shape
    by_seed = tuple(float(one) for one in kept.mean(axis=1)) if problems else ()
    if problems < 2:
        return Mean(by_seed[0] if problems else math.nan, None, None, by_seed)
    parts = [(float(kept.mean(axis=0).var(ddof=1)) / problems, problems - 1)]
    if seeds > 1:
        parts.append((float(kept.mean(axis=1).var(ddof=1)) / seeds, seeds - 1))
    square = sum(part for part, _ in parts)
    value = float(kept.mean())
    if square == 0:
        return Mean(value, value, value, by_seed)
    freedom = square**2 / sum(part**2 / own for part, own in parts)
    half = float(stats.t.ppf((1 + level) / 2, freedom)) * math.sqrt(square)
    return Mean(value, value - half, value + half, by_seed)


def difference(first: Floats, second: Floats) -> Mean:
    """`first` minus `second`, problem by problem and seed by seed, shape (seeds, problems) each.

    Seed k of one is paired with seed k of the other: they saw the same problems in the same order. Seeds that one lacks
    are left out.
    """
    common = min(len(first), len(second))
    return mean(first[:common] - second[:common])


def smoothed(values: Floats, width: int) -> Floats:
    """The mean of the last `width` values at every place, of fewer at the beginning; over the last axis."""
    total = np.cumsum(values, axis=-1)
    before = np.zeros_like(total)
    before[..., width:] = total[..., :-width]
    places = np.arange(1, values.shape[-1] + 1)
    return np.asarray((total - before) / np.minimum(places, width))
