"""The expected accuracy of a choice among N of M candidates: exact for ranked choices, over subsets for votes."""

from __future__ import annotations

import itertools
import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

NO_ANSWER = -1
"""The answer group of a candidate that gave none."""
_SAME_WEIGHT = 1e-9
"""Sums of weights that differ by less, as a share of the greater, are a tie."""


def sizes(total: int) -> list[int]:
    """1, 2, 4, … up to `total`, which always comes last."""
    powers = [1 << k for k in range(total.bit_length()) if 1 << k < total]
    return [*powers, total]


@lru_cache(maxsize=256)
def _within(total: int, n: int) -> Floats:
    """For k = 0 … total: the chance that all of `n` drawn candidates are among `k` given ones. Shape (total + 1,)."""
    return np.array([math.comb(k, n) / math.comb(total, n) for k in range(total + 1)])


def pass_at(correct: Bools, n: int, pinned: bool = False) -> float:
    """The chance that one of `n` candidates is right (arXiv 2107.03374, section 2.1). `correct` has shape (M,)."""
    if pinned and correct[0]:
        return 1.0
    free = correct[1:] if pinned else correct
    wrong = len(free) - int(free.sum())
    return float(1 - _within(len(free), n - pinned)[wrong])


def random_choice(correct: Bools, n: int, pinned: bool = False) -> float:
    """The accuracy of one of the `n` candidates, taken blindly: the mean, unless one of them is always there."""
    if not pinned:
        return float(correct.mean())
    return float((correct[0] + (correct[1:].mean() * (n - 1) if n > 1 else 0)) / n)


def best_of(scores: Floats, correct: Bools, n: int, pinned: bool = False) -> float:
    """The expected accuracy of the candidate with the highest score among `n`; a tie is decided by lot.

    The best of a subset belongs to a tie group with the chance that no member of the subset ranks higher and one
    is in it; within its group each candidate is equally likely to be it.

    Args:
        scores: shape (M,); NaN (not measured) ranks below every score.
        correct: shape (M,).
    """
    ranked = np.where(np.isnan(scores), -np.inf, scores)
    _, group, count = np.unique(ranked, return_inverse=True, return_counts=True)
    right = np.bincount(group, weights=correct) / count
    upto = np.cumsum(count)
    if not pinned:
        return float(np.diff(_within(len(scores), n)[upto], prepend=0.0) @ right)
    own = int(group[0])
    beaten = np.diff(_within(len(scores) - 1, n - 1)[upto[own:] - 1]) @ right[own + 1 :]
    return float(beaten + _pinned_on_top(correct, group == own, int(upto[own]), n))


def _pinned_on_top(correct: Bools, tied: Bools, upto: int, n: int) -> float:
    """The share of `best_of` in which no candidate ranks above number 0: it wins, or shares with `j` others by lot."""
    others = int(tied.sum()) - 1
    below = upto - others - 1
    right = (correct[tied].sum() - correct[0]) / others if others else 0.0
    total = math.comb(len(correct) - 1, n - 1)
    return sum(
        math.comb(others, j) * math.comb(below, n - 1 - j) / total * (correct[0] + j * right) / (j + 1)
        for j in range(min(others, n - 1) + 1)
    )


def subsets(total: int, n: int, most: int, seed: tuple[int, ...], pinned: bool = False) -> Bools:
    """Subsets of size `n` as rows, shape (S, total): all of them if there are at most `most`, else `most` random ones.

    The same seed gives the same subsets.
    """
    free, drawn = total - pinned, n - pinned
    if math.comb(free, drawn) <= most:
        chosen = np.array(list(itertools.combinations(range(free), drawn)), dtype=np.intp)
    else:
        keys = np.random.default_rng(seed).random((most, free))
        chosen = np.argpartition(keys, drawn - 1, axis=1)[:, :drawn]
    masks = np.zeros((len(chosen), total), dtype=np.bool_)
    np.put_along_axis(masks, chosen.reshape(len(chosen), drawn) + pinned, True, axis=1)
    masks[:, 0] |= pinned
    return masks


def vote(groups: Ints, weights: Floats, correct: Bools, masks: Bools) -> tuple[float, float]:
    """(accuracy, share of ties) of the answer with the greatest sum of weights, over the subsets in `masks`.

    A tie between answers is decided by lot, in expectation. A subset in which nobody gives an answer is wrong. Where
    the verifier's equality put right and wrong candidates into one group, the group is as right as its members in
    the subset are on average.

    Args:
        groups: the answer group of each candidate, `NO_ANSWER` for none; shape (M,).
        weights: what a candidate's vote weighs, at least 0; NaN (not measured) counts as 0; shape (M,).
        correct: shape (M,).
        masks: shape (S, M).

    Raises:
        ValueError: a weight is negative.
    """
    if (weights < 0).any():
        raise ValueError("a vote can't weigh less than nothing")
    member = groups[:, None] == np.arange(max(1, int(groups.max()) + 1))
    drawn = masks.astype(np.float64)
    votes = drawn @ (member * np.nan_to_num(weights)[:, None])
    present = drawn @ member
    right = drawn @ (member & correct[:, None])
    votes[present == 0] = -np.inf
    top = votes.max(axis=1, keepdims=True)
    winners = (present > 0) & (votes >= top * (1 - _SAME_WEIGHT))
    share = np.divide(right, present, out=np.zeros_like(right), where=winners)
    number = winners.sum(axis=1)
    return float((share.sum(axis=1) / np.maximum(number, 1)).mean()), float((number > 1).mean())


def backed(groups: Ints, weights: Floats, correct: Bools, masks: Bools, power: float) -> tuple[float, float]:
    """(accuracy, share of ties) of the candidate with the greatest weight × (candidates of its answer)^power, over `masks`.

    With a power of 0 the best candidate, whatever the others say; a candidate without an answer stands alone. A tie is
    decided by lot, in expectation.

    Args:
        groups: the answer group of each candidate, `NO_ANSWER` for none; shape (M,).
        weights: at least 0; NaN (not measured) ranks below every weight; shape (M,).
        correct: shape (M,).
        masks: the subsets, shape (S, M).
        power: at least 0.
    """
    alike = (groups[:, None] == groups) & (groups != NO_ANSWER)
    np.fill_diagonal(alike, True)
    drawn = masks.astype(np.float64)
    ranked = np.where(np.isnan(weights), -1.0, weights * (drawn @ alike) ** power)
    ranked[~masks] = -np.inf
    top = ranked.max(axis=1, keepdims=True)
    winners = ranked >= top - np.abs(top) * _SAME_WEIGHT
    number = winners.sum(axis=1)
    answers = [
        len(np.unique(np.where(groups[row] == NO_ANSWER, -2 - np.flatnonzero(row), groups[row]))) for row in winners
    ]
    right = (winners & correct).sum(axis=1)
    return float((right / number).mean()), float((np.array(answers) > 1).mean())
