"""The curve of a judge's quality: each kind by its own numbers, in the table and in the plot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from demo.checks.judge_quality import learnt, learnt_table, plot, table
from pipeline.errors import UserError


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


def model(kind: str, judge: str | None, f1: float) -> dict[str, Any]:
    worth = {"macro_f1": f1, "macro_f1_interval": [f1 - 0.01, f1 + 0.01], "roc_auc": f1 / 2}
    return {"kind": kind, "judge": judge, "prm": {"prefix": worth, "step": worth}}


def judge(run: Path, name: str, misses: float, false_alarms: float, correlated: bool = False) -> None:
    folder = run / "judgements" / name
    folder.mkdir(parents=True)
    args = f"{{misses: {misses}, false_alarms: {false_alarms}, correlated: {str(correlated).lower()}}}"
    (folder / "config.yaml").write_text(f"engine: {{args: {args}}}")


def test_what_models_learnt_stands_by_the_error_rate_of_their_judges(tmp_path: Path) -> None:
    judge(tmp_path, "anna", 0.1, 0.1)
    judge(tmp_path, "ben", 0.3, 0.3)
    judge(tmp_path, "carla", 0.2, 0.2, correlated=True)
    rows = [
        model("mc > 0", None, 0.8),
        *(model("judge", name, f1) for name, f1 in zip(("anna", "ben", "carla"), (0.7, 0.5, 0.6), strict=True)),
    ]
    found = learnt(str(tmp_path), rows)
    assert [(one["rate"], one["correlated"]) for one in found] == [
        (None, False),
        (0.1, False),
        (0.3, False),
        (0.2, True),
    ]
    lines = learnt_table(found).splitlines()
    assert lines[2].split("|")[1:5] == [" mc > 0 ", "        ", "            ", " 0.800 [0.790, 0.810] "]
    assert "| judge  |   20 % | yes        | 0.600 [0.590, 0.610]" in lines[5]
    points = [point(rate) for rate in (0.0, 0.1, 0.2)]
    assert plot(points, found) != plot(points)
    judge(tmp_path, "dora", 0.1, 0.2)
    with pytest.raises(UserError, match=r"dora: misses 0\.1 and false alarms 0\.2 are no point"):
        learnt(str(tmp_path), [model("judge", "dora", 0.5)])
