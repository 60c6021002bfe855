"""What is still missing, and which problem files are read for it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config import RunConfig, parse_config
from pipeline.errors import StartError
from pipeline.store import Store
from stages.annotate import complete


def run(folder: Path, parts: dict[str, list[str]], done: list[str]) -> tuple[Store, RunConfig]:
    store = Store(str(folder / "run"))
    store.make()
    for name, ids in {**{f"problems/{key}": ids for key, ids in parts.items()}, "checkpoint/0": done}.items():
        path = Path(store.path(f"{name}.parquet"))
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.table({"problem_id": ids}), path)
    Path(store.path("annotations")).mkdir()
    Path(store.path("annotations/0-0.parquet")).touch()
    store.write_json("problems.json", {"rejected": {}})
    sources = [{"name": "a", "path": "rows.jsonl"}]
    return store, parse_config({"name": "x", "run_dir": store.uri, "sources": sources, "engine": {"kind": "scripted"}})


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The problem files that the graph was given; it commits their problems in place of an engine."""
    given: list[Any] = []

    def graph(store: Store, config: RunConfig, templates: Any, model: str, files: Sequence[str], _: Any) -> None:
        given.append([Path(path).stem for path in files])
        ids = sorted(store.ids(files) - store.done_ids())
        pq.write_table(pa.table({"problem_id": ids}), store.path("checkpoint/1.parquet"))

    monkeypatch.setattr(complete, "annotate_problems", graph)
    monkeypatch.setattr(complete, "lock_settings", lambda *given: None)
    monkeypatch.setattr(complete, "ledger_tally", lambda *given: (None, 1))
    for name in ("ray_session", "progress_bar", "within_limits"):
        monkeypatch.setattr(complete, name, lambda *given: contextlib.nullcontext())
    for name in ("check_limits", "note_earlier_engines"):
        monkeypatch.setattr(complete, name, lambda *given: None)
    return given


def test_files_of_which_all_is_done_are_not_read_again(tmp_path: Path, asked: list[Any]) -> None:
    store, config = run(tmp_path, {"one": ["a", "b"], "two": ["c", "d"], "three": ["e"]}, ["a", "b", "c"])
    assert complete.complete_ledger(store, config, {}, "m") == (5, 2)
    assert asked == [["three", "two"]]


def test_a_run_that_is_done_starts_nothing(tmp_path: Path, asked: list[Any]) -> None:
    store, config = run(tmp_path, {"one": ["a", "b"]}, ["a", "b"])
    assert complete.complete_ledger(store, config, {}, "m") == (2, 0)
    assert asked == []


def test_problems_that_stay_undone_are_told(tmp_path: Path, asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    store, config = run(tmp_path, {"one": ["a", "b"]}, ["a"])
    monkeypatch.setattr(complete, "annotate_problems", lambda *given: None)
    with pytest.raises(StartError, match="1 problems are still not done"):
        complete.complete_ledger(store, config, {}, "m")
