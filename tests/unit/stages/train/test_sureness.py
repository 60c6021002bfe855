"""Whether Betas are as sure as they should be, on draws from Betas that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import betabinom

from stages.train.sureness import LEVELS, concentration_scale, coverage, log_likelihood

STEPS = 4000


def drawn(size: float, ends: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Means, concentrations, k and n of steps whose true shares come from these Betas; `ends`: nearly all 0 or 1."""
    rng = np.random.default_rng(0)
    means = rng.choice([0.01, 0.99], STEPS) if ends else rng.uniform(0.1, 0.9, STEPS)
    sizes = np.full(STEPS, size)
    n = np.full(STEPS, 16.0)
    k = rng.binomial(16, rng.beta(means * sizes, (1 - means) * sizes)).astype(float)
    return means, sizes, k, n


@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize("level", LEVELS)
def test_what_is_as_sure_as_it_should_be_covers_its_level(level: float, ends: bool) -> None:
    assert coverage(level, *drawn(6.0, ends)) == pytest.approx(level, abs=0.02)


def test_what_is_too_sure_covers_less_and_what_doubts_too_much_covers_more() -> None:
    means, sizes, k, n = drawn(6.0)
    assert coverage(0.8, means, sizes * 8, k, n) < 0.7
    assert coverage(0.8, means, sizes / 8, k, n) > 0.85


@pytest.mark.parametrize("off", [0.1, 1.0, 8.0])
def test_the_scale_takes_back_how_much_too_sure_it_is(off: float) -> None:
    means, sizes, k, n = drawn(6.0)
    assert concentration_scale(means, sizes * off, k, n) == pytest.approx(1 / off, rel=0.1)


def test_coverage_by_hand() -> None:
    # Of one draw under a mean of 0.9: a miss has the lowest 10 %, which lie in the middle 80 % not at all.
    mean, sure = np.array([0.9]), np.array([5.0])
    assert coverage(0.8, mean, sure, np.array([0.0]), np.array([1.0])) == pytest.approx(0.0, abs=1e-6)
    # A hit has the other 90 %, of which 80 points of 90 do.
    assert coverage(0.8, mean, sure, np.array([1.0]), np.array([1.0])) == pytest.approx(8 / 9)


def test_the_likelihood_is_scipys_but_for_the_coefficients() -> None:
    means, sizes, k, n = (each[:50] for each in drawn(6.0))
    coefficients = sum(math.log(math.comb(16, int(one))) for one in k)
    expected = betabinom.logpmf(k, n, means * sizes, (1 - means) * sizes).sum()
    assert log_likelihood(means, sizes, k, n) + coefficients == pytest.approx(expected)


def test_without_steps_nothing_is_scaled() -> None:
    none = [np.zeros(0)] * 4
    assert concentration_scale(*none) == 1.0
    assert math.isnan(coverage(0.8, *none))
