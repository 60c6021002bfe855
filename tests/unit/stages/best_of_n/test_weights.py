"""What a vote weighs."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.best_of_n.weights import vote_weight
from stages.reward.aggregate import AGGREGATORS

SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=12)
ADVANTAGES = st.lists(st.floats(-1, 1), min_size=1, max_size=12)


@pytest.mark.parametrize("aggregate", AGGREGATORS)
@given(scores=ADVANTAGES)
def test_no_weight_is_negative(aggregate: str, scores: list[float]) -> None:
    assert 0 <= vote_weight(scores, (-1.0, 1.0), aggregate) < math.inf


@pytest.mark.parametrize("aggregate", ["mean", "min", "last", "product", "max", "sum"])
@given(scores=SHARES)
def test_a_probability_weighs_what_it_is(aggregate: str, scores: list[float]) -> None:
    assert vote_weight(scores, (0.0, 1.0), aggregate) == pytest.approx(AGGREGATORS[aggregate](scores))


@pytest.mark.parametrize("aggregate", ["mean", "min", "last", "max"])
@given(one=ADVANTAGES, other=ADVANTAGES)
def test_an_advantage_that_ranks_higher_weighs_no_less(aggregate: str, one: list[float], other: list[float]) -> None:
    low, high = sorted((one, other), key=AGGREGATORS[aggregate])
    assert vote_weight(low, (-1.0, 1.0), aggregate) <= vote_weight(high, (-1.0, 1.0), aggregate) + 1e-12


def test_logarithms_are_taken_back() -> None:
    assert vote_weight([0.5, 0.5], (0.0, 1.0), "sum_log") == pytest.approx(0.25)
    assert vote_weight([0.8], (0.0, 1.0), "sum_log_odds") == pytest.approx(0.8)
    assert vote_weight([0.2], (0.0, 1.0), "sum_log_odds") == pytest.approx(0.2)
    assert vote_weight([-1.0, 0.0, 1.0], (-1.0, 1.0), "mean") == pytest.approx(0.5)
