"""Expected accuracies against every subset of a small pool, one by one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.best_of_n.expected import backed, best_of, pass_at, random_choice, sizes, subsets, vote

Pool = tuple[list[bool], list[float], list[int]]


@st.composite
def pools(draw: st.DrawFn) -> tuple[Pool, int, bool]:
    total = draw(st.integers(1, 7))
    correct = draw(st.lists(st.booleans(), min_size=total, max_size=total))
    scores = draw(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, math.nan]), min_size=total, max_size=total))
    groups = draw(st.lists(st.integers(-1, 2), min_size=total, max_size=total))
    return (correct, scores, groups), draw(st.integers(1, total)), draw(st.booleans())


def all_subsets(total: int, n: int, pinned: bool) -> Iterator[tuple[int, ...]]:
    return (chosen for chosen in itertools.combinations(range(total), n) if not pinned or 0 in chosen)


def enumerated(total: int, n: int, pinned: bool, value: Callable[[tuple[int, ...]], float]) -> float:
    return float(np.mean([value(chosen) for chosen in all_subsets(total, n, pinned)]))


@given(pools())
def test_best_of_equals_the_mean_over_all_subsets(drawn: tuple[Pool, int, bool]) -> None:
    (correct, scores, _), n, pinned = drawn

    def value(chosen: tuple[int, ...]) -> float:
        ranks = {i: -math.inf if math.isnan(scores[i]) else scores[i] for i in chosen}
        best = [i for i in chosen if ranks[i] == max(ranks.values())]
        return float(np.mean([correct[i] for i in best]))

    exact = best_of(np.array(scores), np.array(correct), n, pinned)
    assert exact == pytest.approx(enumerated(len(correct), n, pinned, value))


@given(pools())
def test_pass_at_and_random_equal_the_mean_over_all_subsets(drawn: tuple[Pool, int, bool]) -> None:
    (correct, _, _), n, pinned = drawn
    right = np.array(correct)
    found = pass_at(right, n, pinned)
    assert found == pytest.approx(enumerated(len(correct), n, pinned, lambda s: float(any(correct[i] for i in s))))
    blind = random_choice(right, n, pinned)
    assert blind == pytest.approx(
        enumerated(len(correct), n, pinned, lambda s: float(np.mean([correct[i] for i in s])))
    )


@given(st.integers(0, 64), st.integers(1, 64))
def test_pass_at_is_the_closed_form(right: int, n: int) -> None:
    correct = np.arange(64) < right
    assert pass_at(correct, n) == pytest.approx(1 - math.comb(64 - right, n) / math.comb(64, n))


@given(pools())
def test_a_vote_equals_the_mean_over_all_subsets(drawn: tuple[Pool, int, bool]) -> None:
    (correct, scores, groups), n, pinned = drawn
    ties: list[bool] = []

    def value(chosen: tuple[int, ...]) -> float:
        sums: dict[int, float] = {}
        for i in chosen:
            if groups[i] >= 0:
                sums[groups[i]] = sums.get(groups[i], 0.0) + (0.0 if math.isnan(scores[i]) else scores[i])
        winners = [group for group, weight in sums.items() if weight >= max(sums.values()) - 1e-12]
        ties.append(len(winners) > 1)
        shares = [np.mean([correct[i] for i in chosen if groups[i] == group]) for group in winners]
        return float(np.mean(shares)) if shares else 0.0

    expected = enumerated(len(correct), n, pinned, value)
    masks = subsets(len(correct), n, 1000, (0,), pinned)
    accuracy, tied = vote(np.array(groups), np.array(scores), np.array(correct), masks)
    assert accuracy == pytest.approx(expected)
    assert tied == pytest.approx(np.mean(ties))


@given(pools(), st.sampled_from([0.0, 0.3, 1.0]))
def test_a_backed_choice_equals_the_mean_over_all_subsets(drawn: tuple[Pool, int, bool], power: float) -> None:
    (correct, scores, groups), n, pinned = drawn

    def value(chosen: tuple[int, ...]) -> float:
        def ranked(i: int) -> float:
            same = sum(groups[i] == groups[j] for j in chosen) if groups[i] >= 0 else 1
            return -1.0 if math.isnan(scores[i]) else scores[i] * same**power

        top = max(map(ranked, chosen))
        return float(np.mean([correct[i] for i in chosen if ranked(i) >= top - 1e-12]))

    masks = subsets(len(correct), n, 1000, (0,), pinned)
    accuracy, _ = backed(np.array(groups), np.array(scores), np.array(correct), masks, power)
    assert accuracy == pytest.approx(enumerated(len(correct), n, pinned, value))
    if power == 0:
        assert accuracy == pytest.approx(best_of(np.array(scores), np.array(correct), n, pinned))


def test_ties_of_a_backed_choice_are_between_answers() -> None:
    correct, everyone = np.array([True, True, False]), np.ones((1, 3), dtype=bool)
    assert backed(np.array([0, 0, 1]), np.array([0.5, 0.5, 0.6]), correct, everyone, 0.3) == (1.0, 0.0)
    assert backed(np.array([0, 1, 1]), np.array([0.5, 0.5, 0.4]), correct, everyone, 0.0) == (1.0, 1.0)
    assert backed(np.array([-1, -1, 1]), np.array([0.5, 0.5, 0.4]), correct, everyone, 0.3) == (1.0, 1.0)


def test_weights_may_be_as_small_as_a_product_of_many_steps() -> None:
    groups, correct, everyone = np.array([0, 1]), np.array([True, False]), np.ones((1, 2), dtype=bool)
    assert vote(groups, np.array([7.0e-10, 2.6e-14]), correct, everyone) == (1.0, 0.0)
    # What differs by the order of adding up is a tie.
    assert vote(groups, np.array([0.1 + 0.2, 0.3]), correct, everyone) == (0.5, 1.0)
    assert vote(groups, np.array([0.0, 0.0]), correct, everyone) == (0.5, 1.0)


@given(st.integers(1, 40), st.integers(0, 39), st.booleans(), st.integers(0, 5))
def test_subsets_have_their_size_and_follow_their_seed(total: int, less: int, pinned: bool, seed: int) -> None:
    n = max(1, total - less)
    masks = subsets(total, n, 50, (seed, 1), pinned)
    assert masks.shape[1] == total
    assert (masks.sum(axis=1) == n).all()
    assert masks[:, 0].all() or not pinned
    assert (masks == subsets(total, n, 50, (seed, 1), pinned)).all()
    assert len(masks) == min(50, math.comb(total - pinned, n - pinned))


def test_random_subsets_take_every_candidate_equally_often() -> None:
    share = subsets(20, 5, 4000, (3,)).mean(axis=0)
    assert np.abs(share - 0.25).max() < 0.04


def test_the_winner_among_one_is_that_one_and_a_perfect_score_is_the_oracle() -> None:
    correct = np.array([False, True, False, True])
    assert best_of(np.array([0.1, 0.9, 0.5, 0.2]), correct, 1) == pytest.approx(0.5)
    for n in sizes(4):
        assert best_of(correct.astype(float), correct, n) == pytest.approx(pass_at(correct, n))


def test_sizes_are_powers_of_two_and_the_whole() -> None:
    assert sizes(1) == [1]
    assert sizes(64) == [1, 2, 4, 8, 16, 32, 64]
    assert sizes(100) == [1, 2, 4, 8, 16, 32, 64, 100]
