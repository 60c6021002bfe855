"""The curve of a judge's quality: each kind by its own numbers, in the table and in the plot."""

from __future__ import annotations

from typing import Any

from demo.checks.judge_quality import plot, table


def point(rate: float, correlated: bool = False) -> dict[str, Any]:
    def kind(name: str, f1: float, kept: float) -> dict[str, Any]:
        prefix = {"macro_f1": f1, "interval": (f1 - 0.01, f1 + 0.01)}
        return {"name": name, "kept_share": kept, "oracles": {"prefix": prefix}}

    kinds = [kind("mc > 0", 0.95, 1.0), kind("band 0 to 1", 0.9, 0.5), kind("judge", 1 - rate, 1.0)]
    return {
        "rate": rate,
        "correlated": correlated,
        "votes": 1,
        "kinds": [*kinds, kind("consensus by step", 0.99, 1 - rate)],
    }


def test_the_table_has_a_row_a_judge_and_no_kinds_that_need_none() -> None:
    found = table([point(0.1), point(0.2, correlated=True)]).splitlines()
    assert "band" not in found[0]
    assert "| 10 %   | no         |     1 | 0.950 [0.940, 0.960], 100.0 % | 0.900 [0.890, 0.910], 100.0 % |" in found[2]
    assert "0.990 [0.980, 1.000], 80.0 %" in found[3]


def test_the_plot_is_the_same_for_the_same_points() -> None:
    points = [point(rate) for rate in (0.0, 0.1, 0.2)]
    first = plot(points)
    assert first == plot([*points, point(0.3, correlated=True)])
    assert {name: data[:4] for name, data in first.items()}["judge_quality.png"] == b"\x89PNG"
