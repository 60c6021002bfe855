"""Intervals and tests over problems, for one way of choosing and for the difference between two."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from stages import metrics
from stages.best_of_n.expected import Floats


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with the bounds of its 95 % percentile bootstrap interval over problems."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """A paired difference: its interval, the p value of a two-sided sign-flip test, and what it could have found.

    `detectable` is the true difference that this many problems show with a power of 80 % at the 5 % level, from the
    spread of the observed differences.
    """

    interval: Interval
    p: float
    detectable: float


def bootstrap(values: Floats, resamples: int, seed: int) -> list[Interval]:
    """An interval for every column of `values`, shape (problems, columns), on the same resampled problems."""
    problems = len(values)
    means = np.concatenate([drawn @ values / problems for drawn in metrics.bootstrap(problems, resamples, seed)])
    bounds = (metrics.interval(column) or (math.nan, math.nan) for column in means.T)
    return [Interval(float(mean), *ends) for mean, ends in zip(values.mean(axis=0), bounds, strict=True)]


def compare(first: Floats, second: Floats, resamples: int, seed: int) -> list[Difference]:
    """`first` minus `second` column by column, both of shape (problems, columns), problem by problem."""
    differences = first - second
    return [
        Difference(interval, p, detectable)
        for interval, p, detectable in zip(
            bootstrap(differences, resamples, seed),
            sign_flip_p(differences, resamples, seed),
            map(detectable_difference, differences.T),
            strict=True,
        )
    ]


def sign_flip_p(differences: Floats, flips: int, seed: int) -> list[float]:
    """For every column: how often random signs give a mean at least as far from 0, the observed signs included.

    Under the hypothesis that both ways are equally good on every problem, a difference's sign is a coin's.
    """
    problems = len(differences)
    rng = np.random.default_rng(seed)
    observed = np.abs(differences.sum(axis=0))
    # Sums in another order may differ in the last bits, and must still count as equal.
    slack = 1e-9 * np.maximum(1.0, np.abs(differences).sum(axis=0))
    beyond = np.zeros(differences.shape[1])
    for size in metrics.slices(flips, problems):
        signs = rng.integers(0, 2, (size, problems)) * 2.0 - 1.0
        beyond += (np.abs(signs @ differences) >= observed - slack).sum(axis=0)
    return [float(p) for p in (beyond + 1) / (flips + 1)]


def detectable_difference(differences: Floats) -> float:
    """See `Difference`; NaN for fewer than two problems."""
    if len(differences) < 2:
        return math.nan
    return metrics.detectable_errors() * float(np.std(differences, ddof=1)) / math.sqrt(len(differences))
