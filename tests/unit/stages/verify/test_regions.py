"""Sets of numbers and relations: which are the same."""

from __future__ import annotations

import pytest

from stages.verify.regions import same_regions


@pytest.mark.parametrize(
    ("gold", "answer", "same"),
    [
        ("(-∞, 3)", "x < 3", True),
        ("(-∞, 3)", "(∞, 3)", None),
        ("(-∞, 3)", "(-∞, 3]", False),
        ("(3, ∞)", "(3, +∞)", True),
        ("(3, ∞)", "(3, -∞)", None),
        ("(-∞, ∞)", "ℝ", True),
        ("(-∞, ∞)", "(∞, -∞)", None),
        ("x > 3", "3 < x < ∞", True),
        ("x > 3", "3 < x < -∞", False),
        ("x ≠ 2", "(-∞, 2) ∪ (2, ∞)", True),
        ("|x| < 3", "-3 < x < 3", True),
        ("x > 3", "y > 3", False),
        ("2x > 4", "x > 2", True),
        ("-x > 4", "x > -4", False),
        ("a < b", "b > a", True),
    ],
)
def test_which_are_the_same(gold: str, answer: str, same: bool | None) -> None:
    assert same_regions(gold, answer) is same
