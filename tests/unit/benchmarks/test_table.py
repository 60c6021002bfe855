"""What the table of benchmarks says of results, and that it never says what wasn't measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import benchmarks
from benchmarks.results import Result, Surroundings
from benchmarks.shape import Benchmark, Figure, find
from benchmarks.table import BEGIN, END, line, missed, number, render, replaced
from pipeline.errors import UserError
from pipeline.settings import Strict, parse_settings

RATIO = Figure("ours against theirs", "ours", "theirs", "tokens/s", at_least=0.97)
SHARE = Figure("padding", "padding", unit="%", at_most=0.05)


class Settings(Strict):
    problems: int = 64


def benchmark(*figures: Figure) -> Benchmark:
    return Benchmark("{problems} problems, {ours:,.0f} tokens", figures, Settings, lambda settings: {})


def result(runs: list[dict[str, float]], machine: str = "2 cores", **settings: Any) -> Result:
    made = Result(Surroundings("abc1234", machine, "Python 3.11"), Settings(**settings).model_dump(), "2026-11-22")
    for run in runs:
        made.add(run, 0.5)
    return made


def test_a_ratio_is_of_one_run_and_its_median_is_shown() -> None:
    runs: list[dict[str, float]] = [
        {"ours": 5000, "theirs": 5000},
        {"ours": 3000, "theirs": 6000},
        {"ours": 9000, "theirs": 10000},
    ]
    assert line("x", RATIO, runs) == (
        "x", "ours against theirs", "≥ 0.97", "0.900", "0.500 – 1", "**no**", "5,000 / 6,000 tokens/s",
    )  # fmt: skip
    assert missed(benchmark(RATIO, SHARE), result(runs)) == ["ours against theirs"]


def test_what_was_not_measured_is_said_to_be_so() -> None:
    assert line("x", SHARE, [])[3] == "not measured"
    # One run couldn't; the others count, and a baseline of nothing is no ratio.
    assert line("x", SHARE, [{"padding": 0.031}, {}])[3:6] == ("3.10 %", "one run", "yes")
    assert line("x", RATIO, [{"ours": 3.0, "theirs": 0.0}, {"ours": 3.0}])[3] == "not measured"
    assert missed(benchmark(RATIO), result([{}])) == []


def test_numbers_keep_their_digits() -> None:
    assert number(Figure("", "x", "y", digits=5), 1.0003) == "1.0003"
    assert number(Figure("", "x", at_most=1), 3.1e-06) == "3.10e-06"
    assert number(Figure("", "x", unit="MB"), 12345.6) == "12,346 MB"
    assert number(Figure("", "x", unit="s"), 12.34) == "12.3 s"
    assert number(SHARE, 0.0) == "0 %"


def test_the_table_has_all_figures_and_where_they_are_from() -> None:
    both = {"one": benchmark(RATIO, SHARE), "two": benchmark(SHARE)}
    text = render(both, {"one": result([{"ours": 7.0, "theirs": 2.0}], problems=9), "two": None})
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in text.splitlines() if row.startswith("|")]
    assert [row[0].strip("-") for row in rows] == ["benchmark", "", "one", "", "two", "benchmark", "", "one"]
    assert ["two", "padding", "≤ 5 %", "not measured", "", "", ""] in rows
    assert ["one", "9 problems, 7 tokens", "1", "abc1234", "2026-11-22", "0.5"] in rows
    assert text.endswith("Machine: 2 cores; Python 3.11.")
    known = {"one": result([{"ours": 7.0}]), "two": result([{"ours": 7.0}], "8 cores")}
    assert render(both, known).endswith("- one: 2 cores; Python 3.11.\n- two: 8 cores; Python 3.11.")


def test_prose_around_the_table_stays() -> None:
    document = f"# Head\n\n{BEGIN}\n\nold\n\n{END}\n\nTail.\n"
    assert replaced(document, "new") == f"# Head\n\n{BEGIN}\n\nnew\n\n{END}\n\nTail.\n"
    assert replaced(replaced(document, "a"), "b") == replaced(document, "b")
    with pytest.raises(UserError, match="lacks the lines"):
        replaced("# Head\n", "new")
    replaced(Path("docs/benchmarks.md").read_text(encoding="utf-8"), "new")


def test_results_come_back_as_they_were_written(tmp_path: Path) -> None:
    kept = result([{"ours": 1.5}])
    kept.write(tmp_path / "new" / "one.json")
    assert Result.read(tmp_path / "new" / "one.json") == kept
    assert Result.read(tmp_path / "none.json") is None


def test_the_surroundings_name_commit_machine_and_versions() -> None:
    here = Surroundings.here()
    assert here.commit
    assert "cores" in here.machine
    assert "torch " in here.versions


@pytest.mark.parametrize("name", benchmarks.NAMES)
def test_every_benchmark_on_the_list_is_there(name: str) -> None:
    found = find(name)
    assert found.figures
    parse_settings(found.settings, {}, [], name)


def test_a_wrong_name_or_setting_is_one_line() -> None:
    with pytest.raises(UserError, match="no benchmark 'speed'; there are engine_busy"):
        find("speed")
    with pytest.raises(UserError, match=r"verifier: .*cuont"):
        parse_settings(find("verifier").settings, {}, ["cuont=3"], "verifier")
