"""Aggregates against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest

from stages.reward.aggregate import AGGREGATORS, aggregate


def test_each_against_its_definition() -> None:
    assert aggregate([0.5, 0.25, 0.75]) == pytest.approx(
        {
            "mean": 0.5,
            "min": 0.25,
            "last": 0.75,
            "product": 0.09375,
            "max": 0.75,
            "sum": 1.5,
            "sum_log": math.log(0.09375),
            "sum_log_odds": math.log(1) + math.log(1 / 3) + math.log(3),
        }
    )


@pytest.mark.parametrize("name", AGGREGATORS)
@pytest.mark.parametrize("score", [0.0, 1.0, -1.0])
def test_bounds_stay_finite(name: str, score: float) -> None:
    assert math.isfinite(AGGREGATORS[name]([score, 0.5]))
