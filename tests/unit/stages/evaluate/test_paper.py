"""The paper's tables as they are printed: their own arithmetic must come out."""

from __future__ import annotations

import pytest

from stages.evaluate.paper import BEST_OF_N, BEST_OF_N_COLUMNS, VISUAL_PROCESS_BENCH, BestOfN


@pytest.mark.parametrize("row", BEST_OF_N, ids=lambda row: f"table {row.table} {row.policy} {row.critic} {row.n}")
def test_overall_is_the_mean_of_the_seven_benchmarks(row: BestOfN) -> None:
    assert len(row.accuracies) == len(BEST_OF_N_COLUMNS)
    # Half a digit of rounding in the overall, and as much in the mean of rounded numbers.
    assert sum(row.accuracies) / 7 == pytest.approx(row.overall, abs=0.1)


def test_the_rows_are_complete() -> None:
    assert [sum(row.table == number for row in BEST_OF_N) for number in (2, 6, 7)] == [15, 15, 15]
    assert {row.n for row in BEST_OF_N if row.table != 2} == {8, 16, 32, 64, 128}
    assert len(VISUAL_PROCESS_BENCH) == 14
    assert VISUAL_PROCESS_BENCH["VisualPRM-8B"]["overall"] == 62.0
