"""What the reproduction report says of numbers that the evaluators wrote."""

from __future__ import annotations

import pytest

from demo.claims import Claim, Results, document
from demo.reproduce import VARIANTS, tasks


def measure(value: float, half: float = 0.01) -> dict:
    return {"value": value, "low": value - half, "high": value + half}


def bench(macro_f1: float, difference: float | None) -> dict:
    report = {"pooled": {"macro_f1": measure(macro_f1), "auc": measure(0.9), "first_error_accuracy": measure(0.5)}}
    return report if difference is None else {**report, "against": {"macro_f1": measure(difference, 0.02)}}


def pool(sizes: list[int], better: float) -> dict:
    accuracy = [{"n": n, "mean": 0.6 + better * n / 100, "low": 0.55, "high": 0.9} for n in sizes]
    methods = [
        {"label": "pass@1", "critic": None, "aggregate": None, "accuracy": accuracy},
        {"label": "value (mean)", "critic": "value", "aggregate": "mean", "accuracy": accuracy},
    ]
    comparisons = [
        {"first": "value (mean)", "second": second, "n": n, "mean": better, "low": better - 0.02, "high": better + 0.02}
        for second in ("pass@1", "self-consistency", "orm", "advantage (mean)")
        for n in sizes
    ]
    return {"sizes": sizes, "methods": methods, "comparisons": comparisons}


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.01, 0.2, "reproduced"), (-0.2, -0.01, "not reproduced"), (-0.1, 0.1, "undecided")],
)
def test_the_interval_decides(low: float, high: float, verdict: str) -> None:
    assert Claim("", "", {"mean": (low + high) / 2, "low": low, "high": high}, "").verdict == verdict
    assert Claim("", "", None, "").verdict == "not measured"


def test_every_claim_has_a_row_whatever_was_measured() -> None:
    results = Results(
        {"value": bench(0.9, None), "base": bench(0.5, -0.4), "advantage": bench(0.91, 0.01)},
        pool([1, 2, 4, 8, 16], 0.05),
        pool([1, 2, 4, 8, 16, 32, 64], -0.05),
    )
    text = document(results, {"dataset": 3600.0}, 1000, 600)
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("| ")}
    assert "+40.0 [+38.0, +42.0]" in rows["a PRM finds wrong steps better than the model that it was made from"]
    assert rows["the PRM's best of 8 beats pass@1"].rstrip(" |").endswith("not reproduced")
    assert rows["value labels beat advantage labels, on steps"].rstrip(" |").endswith("undecided")
    assert rows["all steps beat stopping at the first error, on steps"].rstrip(" |").endswith("not measured")
    assert "90.0 [89.0, 91.0]" in rows["value, all steps, threshold 0"]


def test_tasks_come_after_what_they_need() -> None:
    names = [task.name for task in tasks(1000, 600, list(VARIANTS))]
    assert len(set(names)) == len(names)
    assert names.index("dataset") < names.index("train-value") < names.index("bench-value") < names.index("bench-base")
    assert names.index("pool-16") < names.index("bench") < names.index("bench-value")
    assert names.index("scores-64") < names.index("report-64")
    assert "bench-orm" not in names
