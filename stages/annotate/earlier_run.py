"""Goes on from an earlier run: its problems, and for each the ledger file that holds its solutions and draws.

The problem files of the new run are those of the old one with a column `given`, the address of that file or
null. An engine reads the rows of its block when it comes to them, so the draws pass through no other process.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from pipeline.atomic import Sum
from pipeline.errors import UserError
from pipeline.records import Solution, solution_from_row
from pipeline.schemas import LEDGER_SCHEMA
from pipeline.store import Store, named_sum, one_line_io_errors, open_uri
from stages.annotate.damage import check_run
from stages.annotate.engines import copy_engines
from stages.load.problems import READINGS, recorded_readings

COLUMN = "given"
_MEND = "mend that run by `visualprm dataset` with its config, then give this one another name"


def take_over(store: Store, earlier: Store) -> None:
    """Copies the problems of an earlier run, whatever part of them it has annotated.

    Raises:
        UserError: files of the earlier run are damaged.
    """
    check_run(earlier, "mend that run first: `visualprm dataset` with its config")
    store.clear("problems")
    with one_line_io_errors(store.uri):
        places = _places(earlier)
        for path in earlier.problem_files():
            with store.new_file(f"problems/{posixpath.basename(path)}") as out:
                _copy(path, out, earlier, places)
        store.write_text("quarantine/load.jsonl", earlier.read_text("quarantine/load.jsonl"))
        store.write_text("problems.json", earlier.read_text("problems.json"))
        if readings := recorded_readings(earlier):
            store.write_json(READINGS, readings)
        copy_engines(store, earlier)


@dataclass(frozen=True, slots=True)
class Given:
    """What an earlier run holds of a problem: solutions with their draws, and which verifier judged them."""

    solutions: tuple[Solution, ...]
    verifier: str | None = None
    """Null where the run was made before it was recorded."""


def read_given(rows: Iterable[Mapping[str, Any]]) -> dict[str, Given]:
    """What there is of those problem rows that have something: by problem_id."""
    wanted: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if address := row.get(COLUMN):
            wanted[address].append(row["problem_id"])
    found: dict[str, Given] = {}
    for address, ids in wanted.items():
        filesystem, path = open_uri(address)
        columns = ["problem_id", "solutions", "verifier"]
        held = pq.read_table(
            whole(address, path, filesystem),
            schema=LEDGER_SCHEMA,
            columns=columns,
            filters=[("problem_id", "in", ids)],
        )
        for row in held.to_pylist():
            found[row["problem_id"]] = Given(tuple(map(solution_from_row, row["solutions"])), row["verifier"])
    return found


def whole(address: str, path: str, filesystem: fs.FileSystem) -> pa.BufferReader:
    """A ledger file, a few problems long, compared with the sum in its name.

    Raises:
        UserError: it is gone, or not what was written.
    """
    try:
        with filesystem.open_input_stream(path) as file:
            content = file.read()
    except FileNotFoundError as error:
        raise UserError(f"{address}: is missing: {_MEND}") from error
    stated = named_sum(path)
    if stated and stated != Sum(len(content), hashlib.sha256(content).hexdigest()):
        raise UserError(f"{address}: is not what was written: {_MEND}")
    return pa.BufferReader(content)


def _places(earlier: Store) -> dict[str, str]:
    """problem_id → the ledger file with its solutions; of two with the same problem the first counts."""
    places: dict[str, str] = {}
    for path in earlier.ledger_files():
        address = earlier.address("annotations", posixpath.basename(path))
        rows = pq.read_table(path, columns=["problem_id", "error"], filesystem=earlier.filesystem)
        for row in rows.to_pylist():
            if row["error"] is None:
                places.setdefault(row["problem_id"], address)
    return places


def _copy(source: str, target: pa.NativeFile, earlier: Store, places: Mapping[str, str]) -> None:
    field = pa.field(COLUMN, pa.string())
    with pq.ParquetFile(source, filesystem=earlier.filesystem) as file:
        # All but its own start: a run over given responses keeps them for the problems that it hadn't finished.
        columns = [name for name in file.schema_arrow.names if name != COLUMN]
        schema = pa.schema([file.schema_arrow.field(name) for name in columns]).append(field)
        with pq.ParquetWriter(target, schema, compression="zstd") as writer:
            for group in range(file.num_row_groups):
                rows = file.read_row_group(group).select(columns)
                given = pa.array([places.get(key) for key in rows["problem_id"].to_pylist()], pa.string())
                writer.write_table(rows.append_column(field, given))
