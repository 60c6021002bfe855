"""Intervals and tests: the same under the same seed, and as scipy has them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from stages.best_of_n.compare import bootstrap, compare, detectable_difference, sign_flip_p


def values(problems: int, columns: int = 2) -> np.ndarray:
    return np.random.default_rng(5).random((problems, columns))


def test_a_seed_gives_the_same_interval_and_another_seed_another_one() -> None:
    data = values(40)
    assert bootstrap(data, 500, 1) == bootstrap(data, 500, 1)
    assert bootstrap(data, 500, 1) != bootstrap(data, 500, 2)


def test_numbers_stay_what_reports_have_said() -> None:
    """Of reports that were written before there was one bootstrap for all."""
    data = np.random.default_rng(5).random((40, 3))
    intervals = [(each.low, each.high) for each in bootstrap(data, 500, 1)]
    expected = [(0.452958220799, 0.617010501299), (0.411462920570, 0.619318819995), (0.391907735703, 0.579302852469)]
    assert intervals == [pytest.approx(each, abs=1e-6) for each in expected]
    first = compare(data, data[:, ::-1], 300, 2)[0]
    assert (first.interval.low, first.interval.high) == pytest.approx((-0.049864061034, 0.170228143307))
    assert (first.p, first.detectable) == pytest.approx((0.338870431894, 0.167092511383))


def test_the_interval_agrees_with_scipy() -> None:
    data = values(80, 1)
    (ours,) = bootstrap(data, 20_000, 0)
    theirs = stats.bootstrap((data[:, 0],), np.mean, method="percentile", n_resamples=20_000, rng=1)
    assert ours.mean == pytest.approx(data.mean())
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.003)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.003)


def test_the_sign_flip_test_agrees_with_scipy() -> None:
    data = values(30, 1) - 0.42
    theirs = stats.permutation_test(
        (data[:, 0], np.zeros(30)), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=20_000, rng=1
    )
    assert sign_flip_p(data, 20_000, 0)[0] == pytest.approx(theirs.pvalue, abs=0.01)


def test_resamples_in_pieces_are_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.metrics.AT_ONCE", 100)
    (interval,) = bootstrap(np.ones((30, 1)), 10, 0)
    assert (interval.mean, interval.low, interval.high) == (1.0, 1.0, 1.0)
    assert sign_flip_p(np.zeros((30, 1)), 10, 0) == [1.0]


def test_no_difference_is_no_evidence_and_a_constant_one_is() -> None:
    same, all_better = compare(np.full((50, 2), [0.5, 0.8]), np.full((50, 2), [0.5, 0.2]), 999, 0)
    assert same.p == 1.0
    assert same.interval.low == same.interval.high == 0
    assert all_better.p == pytest.approx(1 / 1000)
    assert all_better.interval.low == pytest.approx(0.6)


def test_the_detectable_difference_is_found_in_four_of_five_trials() -> None:
    rng = np.random.default_rng(0)
    spread = rng.normal(0, 1, 100_000)
    shift = detectable_difference(spread[:400])
    found = [abs((trial := rng.normal(shift, 1, 400)).mean()) > 1.96 * trial.std(ddof=1) / 20 for _ in range(2000)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.06)
