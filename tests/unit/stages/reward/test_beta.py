"""Intervals of Betas, against scipy's own distribution."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from stages.reward.beta import LARGEST_LOG_CONCENTRATION, StepScores, concentration, intervals, intervals_of


@settings(max_examples=60)
@given(st.floats(0, 1), st.floats(math.exp(-6), math.exp(6)), st.sampled_from([0.5, 0.8, 0.95]))
def test_an_interval_holds_what_it_says_and_the_mean(mean: float, size: float, level: float) -> None:
    ((low, high),) = intervals([mean], [size], level)
    assert 0 <= low <= mean <= high <= 1
    inside = min(max(mean, 1e-6), 1 - 1e-6)
    known = beta(inside * size, (1 - inside) * size)
    # Nearly all of a Beta may lie within the last bit in front of 1.
    below = known.cdf(math.nextafter(low, 0)) if low > 0 else 0.0
    assert known.cdf(high) - below >= level - 1e-6


def test_a_beta_that_rises_towards_an_end_has_that_end_in_its_interval() -> None:
    near_one, near_zero, between = intervals([0.97, 0.03, 0.5], [10.0, 10.0, 100.0])
    assert near_one[1] == 1.0
    assert near_one[0] == pytest.approx(beta(9.7, 0.3).ppf(0.05))
    assert near_zero == pytest.approx((0.0, 1 - near_one[0]))
    assert between == pytest.approx(beta(50, 50).interval(0.95))


def test_the_surer_the_narrower() -> None:
    widths = [high - low for low, high in intervals([0.5] * 4, [2.0, 8.0, 32.0, 128.0])]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 0.2


def test_the_height_of_the_logits_is_the_concentration_within_bounds() -> None:
    found = concentration(torch.tensor([0.0, 2.0, 1e3, -1e3]))
    assert found.tolist() == pytest.approx([1.0, 6.89, math.exp(6), math.exp(-6)], rel=1e-2)
    assert LARGEST_LOG_CONCENTRATION == 6.0


def test_scores_of_other_models_have_no_intervals() -> None:
    assert intervals_of([0.5, 0.7]) is None
    assert intervals_of(StepScores([0.5], [100.0])) == intervals([0.5], [100.0])
    assert StepScores([0.5], [100.0]) == [0.5]
