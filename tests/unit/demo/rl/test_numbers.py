"""Intervals over problems and seeds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from demo.rl.numbers import difference, mean, smoothed


def test_the_mean_of_one_seed_has_the_interval_of_its_problems() -> None:
    found = mean(np.array([[0.0, 1.0, 1.0, 0.0]]))
    # Standard error 0.5774 / 2, and Student's t with 3 degrees of freedom is 3.182.
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5 - 0.9187, 0.5 + 0.9187), abs=1e-3)
    assert found.by_seed == (0.5,)


def test_seeds_that_differ_make_the_interval_wide_although_the_problems_are_many() -> None:
    seeds = np.array([[0.2], [0.5], [0.8]]) + np.zeros((3, 1000))
    found = mean(seeds)
    # The variance of the seeds' means over 3, with 2 degrees of freedom: t is 4.303.
    assert found.high == pytest.approx(0.5 + 4.303 * 0.3 / math.sqrt(3), abs=1e-3)
    assert found.by_seed == pytest.approx((0.2, 0.5, 0.8))
    assert found.verdict == "undecided"


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    held, trials = 0, 2000
    for _ in range(trials):
        values = 0.3 + rng.normal(0, 0.05, (3, 1)) + rng.normal(0, 0.3, (1, 60)) + rng.normal(0, 0.2, (3, 60))
        found = mean(values)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0.3 <= found.high
    assert 0.94 <= held / trials <= 0.99


def test_what_was_not_measured_is_left_out_and_is_no_zero() -> None:
    found = mean(np.array([[1.0, math.nan, 0.5], [0.5, 0.0, 0.0]]))
    assert found.value == 0.5
    assert found.by_seed == (0.75, 0.25)
    empty = mean(np.full((2, 3), math.nan))
    assert math.isnan(empty.value)
    assert empty.verdict == "not measured"
    assert mean(np.ones((1, 5))).low == 1


def test_differences_are_paired_by_problem_and_by_seed() -> None:
    noise = np.random.default_rng(1).normal(0, 1, (3, 100))
    found = difference(noise + 0.1, noise)
    assert (found.value, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))
    assert found.verdict == "higher"
    short = difference(noise[:2], noise + 0.1)
    assert short.by_seed == pytest.approx((-0.1, -0.1))
    assert short.verdict == "lower"


def test_a_curve_is_smoothed_over_what_is_behind() -> None:
    assert smoothed(np.array([[2.0, 4.0, 6.0, 8.0]]), 2).tolist() == [[2, 3, 5, 7]]
