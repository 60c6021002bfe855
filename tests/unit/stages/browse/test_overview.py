"""The figures of the page are those of the card."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from pipeline.config import PublishConfig
from stages.browse.overview import Bar, Chart, by_source, charts
from stages.browse.places import Opened, find, open_all
from stages.label import label_columns
from stages.publish.entries import Run
from stages.publish.rows import publish
from stages.publish.stats import statistics
from tests.unit.stages.browse import places


def test_they_are_those_of_stats_json(made: Path, opened: list[Opened], tmp_path: Path) -> None:
    from pipeline.store import Store

    store = Store(str(made / "run"))
    run = Run(store.problem_files(), store.ledger_files(), 16, store.filesystem)
    stats = publish(
        [run], str(tmp_path / "again"), store.filesystem, PublishConfig(), partial(label_columns, config=places.LABEL)
    )
    figures = statistics(stats.document())
    for one in opened[:2]:
        rows = {row.name: row for row in by_source(one.index)}
        for name, wanted in {**figures["sources"], "all": figures["total"]}.items():
            row = rows[name]
            assert (row.problems, row.solutions, row.steps) == (
                wanted["problems"],
                wanted["solutions"],
                wanted["steps"],
            )
            for mine, theirs in (
                (row.mean_steps, "mean_steps"),
                (row.mean_mc, "mean_mc"),
                (row.wrong_steps, "incorrect_step_share"),
                (row.mixed, "mixed_solution_share"),
                (row.right, "correct_response_share"),
            ):
                assert mine == pytest.approx(wanted[theirs], abs=1e-7)


def test_charts_say_what_is_seen(opened: list[Opened]) -> None:
    made = {chart.title: chart for chart in charts(opened[1].index, by_source(opened[1].index))}
    assert "50% of solutions are right" in made
    scores = next(chart for title, chart in made.items() if "have score 0" in title)
    assert sum(bar.value for bar in scores.bars) == 12 * 30, "four solutions of 3, 3, 3 and 3 measured steps or answers"
    assert "Tokens of a solution: median 9" in made


def test_a_share_of_half_fills_half_of_its_chart(opened: list[Opened]) -> None:
    shares = next(chart for chart in charts(opened[1].index, by_source(opened[1].index)) if "by source" in chart.title)
    assert [bar.value / shares.largest for bar in shares.bars] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("names", "every"), [(["0", "0.1"], 1), (["1,234"] * 12, 2), (["12,345"] * 12, 2), (["1"] * 100, 4)]
)
def test_names_of_bars_do_not_collide(names: list[str], every: int) -> None:
    chart = Chart("", [Bar(name, 1, "1") for name in names])
    assert chart.every(420) == every
    assert every * 420 / len(names) >= 9 * max(map(len, names))


def test_a_bench_has_no_scores(made: Path) -> None:
    index = open_all(find([str(made / "bench")]))[0].index
    (row,) = (row for row in by_source(index) if row.name == "all")
    assert (row.mean_mc, row.right) == (None, None)
    assert row.wrong_steps == pytest.approx(3 / 12)
    assert not any("score 0" in chart.title for chart in charts(index, by_source(index)))
