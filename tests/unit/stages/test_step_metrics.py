"""Metrics against values worked out by hand, and scores by their definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.step_metrics import calibration_error, macro_f1, roc_auc


def test_macro_f1_by_hand() -> None:
    right = np.array([True, True, True, False])
    # F1 of right: 2·2 / (3 + 3); of wrong: 0
    assert macro_f1(right, np.array([True, True, False, True])) == pytest.approx((4 / 6 + 0) / 2)
    assert macro_f1(right, right) == 1.0
    assert macro_f1(right, np.ones(4, bool)) == pytest.approx(6 / 7 / 2)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=12))
def test_auc_is_the_share_of_ordered_pairs(found: list[tuple[bool, int]]) -> None:
    right, scores = (np.array(column) for column in zip(*found, strict=True))
    pairs = [(a > b) + (a == b) / 2 for a in scores[right] for b in scores[~right]]
    assert roc_auc(right, scores) == (pytest.approx(np.mean(pairs)) if pairs else None)


def test_calibration_by_hand() -> None:
    right = np.array([True, True, False, False])
    assert calibration_error(right, np.array([1.0, 1.0, 0.0, 0.0])) == 0.0
    assert calibration_error(right, np.array([0.9, 0.9, 0.9, 0.9])) == pytest.approx(0.4)
