"""`visualprm status`: what a run's files say while it runs and after it died."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.records import VerdictStatus
from pipeline.schemas import LEDGER_SCHEMA
from pipeline.store import Store
from stages.annotate.status import status_of
from tests.documented import json_keys
from tests.unit.stages.annotate.test_ledger_tally import all_of, items, write
from tests.unit.stages.annotate.test_progress import counters


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A run of four problems, one of which is done."""
    store = Store(str(tmp_path))
    row = {"problem_id": "a", "num_draws": 10, "num_tokens": 500, "solutions": []}
    for name, table in (
        ("problems/part-0", pa.table({"problem_id": list("abcd"), "source": ["x"] * 4})),
        ("annotations/x_0-0", pa.Table.from_pylist([row], LEDGER_SCHEMA)),
        ("checkpoint/x_0", pa.table({"problem_id": ["a"]})),
    ):
        (tmp_path / f"{name}.parquet").parent.mkdir()
        pq.write_table(table, tmp_path / f"{name}.parquet")
    store.write_json("ledger.json", {})
    store.write_json("problems.json", {"rejected": {"missing_image": 2}})
    return store


def lines(store: Store) -> dict[str, str]:
    return {
        name.strip(): value
        for name, _, value in (line.strip().partition("  ") for line in status_of(store.uri).text.splitlines())
    }


def test_a_running_engine_shows_its_rate(store: Store) -> None:
    now = time.time()
    store.write_json("progress/a.json", counters(now - 20, now, 2))
    told = lines(store)
    assert (told["problems done"], told["pending"], told["quarantined"]) == ("1 of 4", "3", "2, 2 missing_image")
    assert (told["draws"], told["tokens"], told["rate"], told["time left"]) == ("10", "500", "50 tokens/s", "0:00:30")


def test_a_block_that_was_committed_twice_counts_once(store: Store) -> None:
    first, again = ({"problem_id": "b", "num_draws": 3, "num_tokens": n, "error": "x: y"} for n in (7, 8))
    # Of "a", which is right in its first block, the failure in the second is not heard of.
    blocks = {"y": [first], "z": [again, {"problem_id": "a", "num_draws": 10, "num_tokens": 500, "error": "x: y"}]}
    for name, rows in blocks.items():
        table = pa.Table.from_pylist(rows, LEDGER_SCHEMA)
        pq.write_table(table, store.path("annotations", f"{name}_0-0.parquet"))
        pq.write_table(table.select(["problem_id"]), store.path("checkpoint", f"{name}_0.parquet"))
    told = lines(store)
    assert (told["problems done"], told["draws"], told["tokens"], told["failed"]) == ("2 of 4", "13", "507", "1")


def test_a_dead_run_shows_its_last_rate(store: Store) -> None:
    end = time.time() - 600
    # An engine that ended long before the others is no part of it.
    for name, started, updated in (("a", end - 20, end), ("b", end - 20, end - 3), ("c", end - 999, end - 500)):
        store.write_json(f"progress/{name}.json", counters(started, updated, 1))
    told = lines(store)
    assert told["rate"].startswith("no engine is running")
    assert told["last rate"].startswith("100 tokens/s, until 0:10:0")
    assert told["time left"] == "0:00:30 at the last rate"


def test_a_finished_run_shows_the_rate_and_the_time_of_its_engines(store: Store) -> None:
    pq.write_table(pa.table({"problem_id": list("bcd")}), store.path("checkpoint", "y_0.parquet"))
    end = time.time() - 7200
    store.write_json("progress/a.json", counters(end - 20, end, 4))
    told = lines(store)
    assert (told["rate in all"], told["time in all"]) == ("50 tokens/s", "0:00:20 with engines running")
    assert not told.keys() & {"rate", "last rate"}, "one rate alone"
    data = status_of(store.uri).data
    assert (data["state"], data["done"], data["pending"], data["left_s"]) == ("done", 4, 0, None)
    assert (data["tokens_per_s"], data["engine_s"], data["engines"]) == (50, 20, 1)


def test_what_is_not_known_is_null_for_programs(store: Store) -> None:
    assert status_of(store.uri).data.keys() == json_keys("status")
    assert status_of(store.uri).data == {
        "run": store.uri, "state": "stopped", "problems": 4, "pending": 3, "done": 1, "quarantined": {"missing_image": 2},
        "draws": 10, "tokens": 500, "failed": 0, "tokens_per_s": None, "engines": None, "engine_s": None, "left_s": None,
        "warnings": [],
    }  # fmt: skip
    store.filesystem.delete_file(store.path("problems.json"))
    data = status_of(store.uri).data
    assert (data["state"], data["problems"], data["quarantined"], data["warnings"]) == ("reading", None, None, [])


def test_a_finished_run_and_a_stopped_one_tell_rate_and_time(store: Store) -> None:
    assert (lines(store)["rate in all"], lines(store)["time in all"]) == ("not measured", "not measured")
    end = time.time() - 7200
    store.write_json("progress/a.json", counters(end - 20, end, 1))
    assert lines(store)["time in all"] == "0:00:20 with engines running"
    pq.write_table(pa.table({"problem_id": list("bcd")}), store.path("checkpoint", "y_0.parquet"))
    told = lines(store)
    assert (told["pending"], told["rate in all"], told["time in all"]) == (
        "0",
        "50 tokens/s",
        "0:00:20 with engines running",
    )


@pytest.mark.parametrize(
    ("progress", "rate"),
    [(None, "no engine is running"), ({"tokens": 0, "draws": 0}, "engine starting or first problems under way")],
)
def test_a_rate_that_is_not_known_is_not_told(store: Store, progress: dict[str, Any] | None, rate: str) -> None:
    now = time.time()
    if progress is not None:
        store.write_json("progress/a.json", {**counters(now - 20, now, 0), **progress})
    told = lines(store)
    assert told["rate"].startswith(rate)
    assert not told.keys() & {"last rate", "time left"}


def test_what_cannot_be_right_is_told_by_the_labels_of_the_run(tmp_path: Path) -> None:
    cases: list[tuple[VerdictStatus, list[str]]] = [
        ("incorrect", ["no right answer in", "no step has the label +"]),
        ("correct", []),
    ]
    for status, words in cases:
        store = write(tmp_path / status, [all_of(status, one) for one in items(12)])
        store.write_json("ledger.json", {})
        store.write_json("problems.json", {"rejected": {}})
        warnings = [line for line in status_of(store.uri).text.splitlines() if line.strip().startswith("warning ")]
        assert [word for word in words if not any(word in line for line in warnings)] == []
        assert len(warnings) == len(words)
    store.write_text("config.yaml", "name: r\nlabel: {threshold: 0.99}\n")
    assert "warning" not in status_of(store.uri).text


def test_a_source_with_hardly_a_right_answer_is_told(tmp_path: Path) -> None:
    right, wrong = all_of("correct", items(1)[0]), [all_of("incorrect", one) for one in items(400)[1:]]
    store = write(tmp_path, [right, *wrong], each=100)
    store.write_json("ledger.json", {})
    store.write_json("problems.json", {"rejected": {}})
    (told,) = [line for line in status_of(store.uri).text.splitlines() if "are right in" in line]
    assert re.search(r"warning .*[\d,]+ of [\d,]+ solutions and continuations \(0\.\d%\) are right in ", told)


def test_a_part_of_a_long_ledger_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.annotate.ledger_tally.MOST_FILES", 1)
    store = write(tmp_path, [all_of("truncated", one) for one in items(20)], each=10)
    store.write_json("ledger.json", {})
    store.write_json("problems.json", {"rejected": {}})
    assert "(counted in one of 3 files of the ledger)" in status_of(store.uri).text


def test_a_driver_whose_engines_are_silent_is_told_of(store: Store) -> None:
    with store.lock():
        assert lines(store)["rate"].startswith(f"engine starting (process {os.getpid()} on ")
        end = time.time() - 600
        store.write_json("progress/a.json", counters(end - 20, end, 1))
        told = lines(store)
        data = status_of(store.uri).data
    assert (data["state"], data["left_s"] is None) == ("silent", False)
    assert told["rate"].startswith("no sign of life from an engine for 0:10:0")
    assert told["driver"].startswith(f"process {os.getpid()} on ")
    assert "time left" not in told
