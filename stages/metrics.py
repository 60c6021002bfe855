"""The numbers, in numpy alone.

A step is predicted right if its score is above the threshold. Decisions are counted in cells (tp, fn, fp, tn), where
"positive" is a right step. All functions take counts or weights with leading axes, so that a bootstrap is one call.
What is not defined (the F1 of a class that neither the truth nor the prediction has) is NaN, never 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

AT_ONCE = 4_000_000
"""Numbers of a matrix of resamples that are held at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Labelled steps that have a score, as columns of one length M.

    `sample` is the index of a step's sample, `position` its index among all steps of its solution.
    """

    sample: Ints
    position: Ints
    right: Bools
    score: Floats

    @classmethod
    def of(cls, right: Bools, score: Floats) -> Steps:
        """Steps of which nothing else is known, as of one sample: shape (M,) each."""
        place = np.arange(len(right))
        return cls(np.zeros_like(place), place, right, score)

    def where(self, mask: Bools) -> Steps:
        return Steps(self.sample[mask], self.position[mask], self.right[mask], self.score[mask])


def cells(steps: Steps, threshold: float, samples: int) -> Ints:
    """(tp, fn, fp, tn) of every sample: shape (samples, 4)."""
    cell = np.where(steps.right, 0, 2) + np.where(steps.score > threshold, 0, 1)
    return np.bincount(steps.sample * 4 + cell, minlength=4 * samples).reshape(samples, 4)


def f1_right(counts: ArrayLike) -> Floats:
    """F1 of right steps, 2 tp / (2 tp + fn + fp), over the last axis."""
    tp, fn, fp, _ = np.moveaxis(np.asarray(counts, dtype=float), -1, 0)
    return _ratio(2 * tp, 2 * tp + fn + fp)


def f1_wrong(counts: ArrayLike) -> Floats:
    """F1 of wrong steps, 2 tn / (2 tn + fn + fp), over the last axis."""
    return f1_right(np.asarray(counts)[..., ::-1])


def macro_f1(counts: ArrayLike) -> Floats:
    """The mean of both (arXiv 2503.10291, section 5.3)."""
    return (f1_right(counts) + f1_wrong(counts)) / 2


def auc(right: ArrayLike, score: ArrayLike, weights: ArrayLike | None = None) -> Floats:
    """The chance that a right step scores above a wrong one, ties counting half.

    Args:
        right, score: shape (M,).
        weights: shape (…, M): how often each step counts; once by default.

    Returns:
        Shape (…); NaN where one of the two classes is missing.
    """
    is_right, values = np.asarray(right, dtype=bool), np.asarray(score, dtype=float)
    weight = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=float)
    levels, level = np.unique(values, return_inverse=True)
    if not len(levels):
        return np.full(weight.shape[:-1], np.nan)
    order = np.argsort(level, kind="stable")
    starts = np.searchsorted(level[order], np.arange(len(levels)))
    up = np.add.reduceat((weight * is_right)[..., order], starts, axis=-1)
    down = np.add.reduceat((weight * ~is_right)[..., order], starts, axis=-1)
    below = np.cumsum(down, axis=-1) - down / 2
    return _ratio((up * below).sum(-1), up.sum(-1) * down.sum(-1))


def first_errors(steps: Steps, threshold: float, samples: int) -> tuple[Ints, Ints]:
    """The position of each sample's first wrong step, and of the first one predicted wrong; -1 for none."""
    return _first(steps, ~steps.right, samples), _first(steps, steps.score <= threshold, samples)


def harmonic(accuracies: ArrayLike) -> Floats:
    """The harmonic mean over the last axis: ProcessBench's F1 of both accuracies (arXiv 2412.06559)."""
    a, b = np.moveaxis(np.asarray(accuracies, dtype=float), -1, 0)
    return np.where((a == 0) & (b == 0), 0.0, _ratio(2 * a * b, a + b))


def weighted_share(hits: ArrayLike, weights: ArrayLike) -> Floats:
    """The weighted share of hits: hits (S,), weights (…, S)."""
    weight = np.asarray(weights, dtype=float)
    return _ratio(weight @ np.asarray(hits, dtype=float), weight.sum(-1))


def cuts(steps: Steps) -> tuple[Floats, Ints]:
    """Every threshold from which on decisions differ, ascending, and the cells there: shapes (T,) and (T, 4).

    The first lies below all scores; the others are the scores themselves.
    """
    levels, level = np.unique(steps.score, return_inverse=True)
    if not len(levels):
        return np.zeros(0), np.zeros((0, 4), dtype=np.int64)
    fn = np.concatenate([[0], np.cumsum(np.bincount(level[steps.right], minlength=len(levels)))])
    tn = np.concatenate([[0], np.cumsum(np.bincount(level[~steps.right], minlength=len(levels)))])
    counts = np.stack([fn[-1] - fn, fn, tn[-1] - tn, tn], axis=-1)
    return np.concatenate([[np.nextafter(levels[0], -np.inf)], levels]), counts


def best_cut(steps: Steps) -> float | None:
    """The threshold with the highest pooled macro-F1; None if that is undefined.

    It lies in the middle between two scores, since other samples' scores will fall between them; of equally good ones
    it is the one nearest to 0.5.
    """
    thresholds, counts = cuts(steps)
    values = macro_f1(counts)
    if not len(values) or np.isnan(values).all():
        return None
    middle = thresholds.copy()
    middle[1:-1] += np.diff(thresholds[1:]) / 2
    # Between two neighbouring numbers there is no middle.
    middle[1:-1] = np.where(middle[1:-1] < thresholds[2:], middle[1:-1], thresholds[1:-1])
    best = middle[values == np.nanmax(values)]
    return float(best[np.argmin(np.abs(best - 0.5))])


@dataclass(frozen=True, slots=True)
class Bin:
    """Steps whose score lies in `[low, high)` (the last bin holds its end too)."""

    low: float
    high: float
    steps: int
    mean_score: float
    share_right: float


def reliability(steps: Steps, bins: int = 10) -> tuple[list[Bin], float | None]:
    """The bins of equal width that hold steps, and the expected calibration error.

    The error is the mean over steps of |share right − mean score| of their bin (arXiv 1706.04599, equation 3).
    It is None where scores leave [0, 1]: those are no probabilities.
    """
    if not len(steps.score) or steps.score.min() < 0 or steps.score.max() > 1:
        return [], None
    place = np.minimum((steps.score * bins).astype(np.int64), bins - 1)
    found = []
    for index in np.unique(place):
        inside = steps.where(place == index)
        found.append(
            Bin(
                index / bins,
                (index + 1) / bins,
                len(inside.score),
                float(inside.score.mean()),
                float(inside.right.mean()),
            )
        )
    error = sum(one.steps * abs(one.share_right - one.mean_score) for one in found) / len(steps.score)
    return found, error


def resamples(problems: Sequence[str], count: int, seed: int) -> Ints:
    """How often each sample is drawn in each bootstrap resample: shape (count, samples), or (0, samples) of one problem.

    Drawn are problems, with all of their samples: solutions of one problem succeed and fail together, so samples drawn
    one by one would give intervals that are too narrow.

    Args:
        problems: what each sample's problem is known by, shape (samples,).
    """
    # Numbered as they come, so that the draws don't depend on names.
    number = {problem: index for index, problem in enumerate(dict.fromkeys(problems))}
    if len(number) < 2:
        return np.zeros((0, len(problems)), dtype=np.int64)
    drawn = np.concatenate([*bootstrap(len(number), count, seed)])
    return drawn[:, [number[problem] for problem in problems]]


def bootstrap(problems: int, count: int, seed: int) -> Iterator[Ints]:
    """How often each problem is drawn in each resample, in slices of shape (≤ count, problems) that fit into memory.

    How often is all that sums and means need, and a matrix product with it is quick. The draws do not depend on the slices.
    """
    rng = np.random.default_rng(seed)
    for size in slices(count, problems):
        yield rng.multinomial(problems, np.full(problems, 1 / problems), size)


def slices(rows: int, width: int) -> Iterator[int]:
    """The heights of slices that `rows` of a matrix come in, each at most `AT_ONCE` numbers."""
    step = max(1, AT_ONCE // max(1, width))
    for start in range(0, rows, step):
        yield min(step, rows - start)


def interval(values: ArrayLike, level: float = 0.95) -> tuple[float, float] | None:
    """The percentile interval over resamples, leaving out those in which the statistic is not defined."""
    defined = np.asarray(values, dtype=float)
    defined = defined[~np.isnan(defined)]
    if not len(defined):
        return None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def wilson(hits: int, of: int, level: float = 0.95) -> tuple[float, float] | None:
    """Wilson's interval of a share, from independent trials; null without any."""
    if not of:
        return None
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, spread = hits / of, z * z / of
    middle, half = share + spread / 2, z * (share * (1 - share) / of + spread / (4 * of)) ** 0.5
    return max(0.0, (middle - half) / (1 + spread)), min(1.0, (middle + half) / (1 + spread))


def detectable(values: ArrayLike, level: float = 0.95, power: float = 0.8) -> float | None:
    """The true difference from 0 that a two-sided test finds with this power: its spread over resamples, times 2.8.

    None with fewer than two resamples in which the statistic is defined.
    """
    defined = np.asarray(values, dtype=float)
    defined = defined[~np.isnan(defined)]
    if len(defined) < 2:
        return None
    return detectable_errors(level, power) * float(np.std(defined, ddof=1))


def detectable_errors(level: float = 0.95, power: float = 0.8) -> float:
    """How many standard errors a true difference from 0 measures that a two-sided test finds with this power: 2.8."""
    normal = NormalDist()
    return normal.inv_cdf((1 + level) / 2) + normal.inv_cdf(power)


def _first(steps: Steps, wrong: Bools, samples: int) -> Ints:
    first = np.full(samples, np.iinfo(np.int64).max)
    np.minimum.at(first, steps.sample[wrong], steps.position[wrong])
    return np.where(first == np.iinfo(np.int64).max, -1, first)


def _ratio(over: ArrayLike, under: ArrayLike) -> Floats:
    top, bottom = np.asarray(over, dtype=float), np.asarray(under, dtype=float)
    return np.divide(top, bottom, out=np.full(np.broadcast(top, bottom).shape, np.nan), where=bottom != 0)
