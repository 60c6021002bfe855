"""What a ledger file holds is what its rows say, however the file was written."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.records import Verdict, VerdictStatus, ledger_row
from pipeline.schemas import LEDGER_SCHEMA, table
from pipeline.store import Store
from stages.publish.held import Held, held, spans, verifiers
from tests.unit.stages.publish.test_rows import annotate, make_problem

SETTLED: tuple[VerdictStatus, ...] = ("correct", "incorrect", "no_answer", "truncated")


def rows(verifiers: list[str | None], last: VerdictStatus) -> list[dict[str, Any]]:
    """A row for each verifier; all verdicts are settled, but the very last draw of all has the verdict `last`."""
    rng = random.Random(0)
    found = []
    for seed, verifier in enumerate(verifiers):
        row = ledger_row(dataclasses.replace(annotate(make_problem(seed)), verifier=verifier))
        for solution in row["solutions"]:
            solution["verdict"]["status"] = rng.choice(SETTLED)
            for step in solution["steps"]:
                for draw in step["draws"]:
                    draw["verdict"]["status"] = rng.choice(SETTLED)
        found.append(row)
    draws = [
        draw for row in found for solution in row["solutions"] for step in solution["steps"] for draw in step["draws"]
    ]
    draws[-1]["verdict"] = dataclasses.asdict(Verdict(last))
    return sorted(found, key=lambda row: str(row["problem_id"]))


@pytest.mark.parametrize("way", [{}, {"row_group_size": 1}, {"use_dictionary": False}, {"write_statistics": False}])
@pytest.mark.parametrize("given", [["new"] * 5, ["old", "new", "new"], ["new", None], [None]])
@pytest.mark.parametrize("last", ["correct", "timeout", "error"])
def test_every_verifier_and_an_unsettled_verdict_are_seen(
    given: list[str | None], last: VerdictStatus, way: dict[str, Any], tmp_path: Path
) -> None:
    path = str(tmp_path / "a.parquet")
    made = rows(given, last)
    pq.write_table(table(made, LEDGER_SCHEMA), path, **way)
    found = held(Store(str(tmp_path)), [path])
    ids = [row["problem_id"] for row in made]
    assert found == {path: Held(frozenset(given), last in ("timeout", "error"), ids[0], ids[-1])}
    assert spans(found) == {path: (ids[0], ids[-1])}
    assert verifiers([found]) == set(given)


@pytest.mark.parametrize("first", ["no draws", "no solutions"])
@pytest.mark.parametrize("last", ["correct", "timeout", "error"])
def test_an_unsettled_draw_is_seen_after_a_row_that_has_none(first: str, last: VerdictStatus, tmp_path: Path) -> None:
    made = rows(["new"] * 4, last)
    empty = next((row for row in made if not _has([row], last)), made[0])
    if first == "no solutions":
        empty["solutions"] = []
    for solution in empty["solutions"]:
        for step in solution["steps"]:
            step["draws"] = []
    made.sort(key=lambda row: row is not empty)
    path = str(tmp_path / "a.parquet")
    pq.write_table(table(made, LEDGER_SCHEMA), path)
    assert held(Store(str(tmp_path)), [path])[path].unsettled == (last in ("timeout", "error") and _has(made, last))


def _has(made: list[dict[str, Any]], status: str) -> bool:
    """Whether a draw has that verdict."""
    draws = (draw for row in made for one in row["solutions"] for step in one["steps"] for draw in step["draws"])
    return any(draw["verdict"]["status"] == status for draw in draws)


def test_a_ledger_from_before_verifiers_were_recorded_has_none(tmp_path: Path) -> None:
    path = str(tmp_path / "a.parquet")
    pq.write_table(table(rows(["new"] * 3, "correct"), LEDGER_SCHEMA).drop_columns(["verifier"]), path)
    assert held(Store(str(tmp_path)), [path])[path].verifiers == {None}


def test_a_file_without_rows_says_nothing(tmp_path: Path) -> None:
    path = str(tmp_path / "a.parquet")
    pq.write_table(LEDGER_SCHEMA.empty_table(), path)
    assert held(Store(str(tmp_path)), [path]) == {path: Held(frozenset(), False, None, None)}
    assert spans(held(Store(str(tmp_path)), [path])) == {}
