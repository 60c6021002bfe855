"""Which problems are shown, and which comes next."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.errors import UserError
from pipeline.schemas import PUBLISHED_SCHEMA, table
from stages.publish.pick import Wanted, first_two, problems
from tests.unit.stages.publish.test_show import row, step

WRONG = [step("7.", 0, 16, "-", "measured")]
RIGHT = [step("7.", 9, 16, "+", "measured")]


@pytest.fixture
def dataset(tmp_path: Path) -> str:
    """Two shards of two row groups; of aa2 one solution has a wrong step."""
    rows = {
        0: [row("aa1", 0, source="demo/bars"), row("aa2", 0, source="demo/grid", steps_with_score=RIGHT),
            row("aa2", 1, source="demo/grid", steps_with_score=WRONG)],
        1: [row("bb1", 0, source="demo-2", steps_with_score=WRONG), row("bb2", 0, source="demo/bars", steps_with_score=RIGHT)],
    }  # fmt: skip
    for number, each in rows.items():
        path = tmp_path / f"train-{number:05d}-of-00002.parquet"
        pq.write_table(table(each, PUBLISHED_SCHEMA), path, row_group_size=1 if number else 3)
    return str(tmp_path)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted(), ["aa1", "aa2", "bb1", "bb2"]),
        (Wanted("aa"), ["aa1", "aa2"]),
        (Wanted(source="demo"), ["aa1", "aa2", "bb2"]),
        (Wanted(source="demo/bars"), ["aa1", "bb2"]),
        (Wanted(label="-"), ["aa2", "bb1"]),
        (Wanted(label="none"), ["aa1"]),
        (Wanted("aa2/pol/s0", label="-"), []),
        (Wanted(source="demo", label="-"), ["aa2"]),
    ],
)
def test_what_fits(dataset: str, wanted: Wanted, found: list[str]) -> None:
    assert [place.problem for place, _ in problems(dataset, wanted)] == found


@pytest.mark.parametrize(
    ("wanted", "ids", "following"),
    [
        (Wanted(), ["aa1/pol/s0"], "aa2"),
        (Wanted("aa2"), ["aa2/pol/s0", "aa2/pol/s1"], "bb1"),
        (Wanted("aa2/pol/s1"), ["aa2/pol/s1"], "bb1"),
        (Wanted("aa1", source="demo/bars"), ["aa1/pol/s0"], "bb2"),
        (Wanted(label="-"), ["aa2/pol/s0", "aa2/pol/s1"], "bb1"),
        (Wanted("bb1", label="-"), ["bb1/pol/s0"], None),
        (Wanted("bb2"), ["bb2/pol/s0"], None),
    ],
)
def test_one_problem_and_the_one_after_it(dataset: str, wanted: Wanted, ids: list[str], following: str | None) -> None:
    place, after = first_two(dataset, wanted)
    assert ([found["id"] for found in place.read()], after) == (ids, following)
    assert place.read()[0]["images"]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Wanted("zz"), "no id begins with 'zz'; an id looks like <problem>/<policy>/s0"),
        (
            Wanted(source="demo/bras"),
            r"'demo/bras' \(did you mean 'demo/bars'\?\); it has demo/bars, demo/grid, demo-2",
        ),
        (Wanted("bb2", label="-"), "no problem has all that is asked for"),
    ],
)
def test_nothing_that_fits_says_why(dataset: str, wanted: Wanted, words: str) -> None:
    with pytest.raises(UserError, match=words):
        first_two(dataset, wanted)
