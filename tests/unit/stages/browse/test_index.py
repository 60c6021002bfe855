"""The index is made once, and again where the data change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.errors import UserError
from stages.browse.index import cache_folder, open_index
from stages.browse.places import find, open_all
from stages.browse.published import Published
from tests import shards
from tests.unit.stages.browse import places


def rows(count: int, first: int = 0) -> list[dict]:
    return [shards.row(number, k, [shards.step("x", 3)]) for number in range(first, first + count) for k in range(2)]


def test_it_is_made_once_and_again_after_a_change(tmp_path: Path) -> None:
    told: list[str] = []
    places.write_dataset(tmp_path / "data", rows(4))
    for expected in (1, 1):
        index = open_index(Published(str(tmp_path / "data")), "", tell=told.append)
        assert (len(index), index.num_problems, len(told)) == (8, 4, expected)
    places.write_dataset(tmp_path / "data", rows(5))
    assert len(open_index(Published(str(tmp_path / "data")), "", tell=told.append)) == 10
    assert len(told) == 2
    kept = [path for path in cache_folder().rglob("*") if path.is_file()]
    assert len(kept) == 2, "what was made of the old file is gone"


def test_solutions_that_lie_apart_are_one_problem(tmp_path: Path) -> None:
    scattered = [*rows(2), shards.row(0, 7, [shards.step("late", 1)])]
    places.write_dataset(tmp_path / "data", scattered)
    index = open_index(Published(str(tmp_path / "data")), "")
    assert index.num_problems == 2
    assert list(index.solutions_of(0)) == [0, 1, 4]
    assert (index.place(4).group, index.place(4).row) == (1, 1)
    assert index.question(0) == "What is 0?"


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places.write_dataset(tmp_path / "data", rows(1))
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UserError, match="not writable"):
        open_index(Published(str(tmp_path / "data")), "")


def test_a_run_that_grows_is_read_on(tmp_path: Path) -> None:
    items = [places.annotated(number) for number in range(8)]
    store = places.write_run(tmp_path / "run", items)
    hidden = sorted((tmp_path / "run/checkpoint").iterdir())[-1]
    hidden.rename(tmp_path / "aside")
    run = find([store.uri])
    assert len(open_all(run)[0].index) == 16
    os.rename(tmp_path / "aside", hidden)
    told: list[str] = []
    assert len(open_all(run, told.append)[0].index) == 32
    assert "reading 1 of 2 files" in told[0]
