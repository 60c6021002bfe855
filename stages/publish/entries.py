"""The ledgers of one or more runs in the order of their problems, whatever the order of files and rows.

Of a ledger only what is published is read, and of the draws after a step only how many have each verdict. A run leaves its
files in the order of the problem files, each of which is sorted: then few of them overlap, and those are merged as they
are read. Where many do, as after a shuffle, or where each takes long to open, the ledger is sorted: in memory if it has a
few thousand problems, otherwise in parts, which wait in a file without a name and are merged.
"""

from __future__ import annotations

import heapq
import itertools
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter
from typing import IO, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from pipeline.columns import codes_of, lengths_of, listed
from pipeline.records import VERDICT_STATUSES, Rejected
from pipeline.store import map_over

PART_BYTES = 48 << 20
"""Of a ledger, as much as is sorted at once."""
BATCH_BYTES = 1 << 20
"""Of a sorted part, as much as is in memory while parts are merged."""
FILES_AT_ONCE = 16
MOST_CHAINS = 64
"""Files that overlap one another and are still merged as they are read: so many are in memory."""
COUNT = "n_{}"
"""The field of a step that says how many draws have a verdict."""

_SOLUTION = "solutions.list.element."
_STEP = _SOLUTION + "steps.list.element."
_DRAWN = _STEP + "draws.list.element.verdict.status"
"""Read as numbers into a dictionary: by far the most values."""
_PLAIN = ("problem_id", "policy_model", "policy_key", "prompt", "prompt_sha", "strategy", "error", "num_tokens")
COLUMNS = [
    *_PLAIN,
    *(_SOLUTION + leaf for leaf in ("solution_id", "text", "verdict.status", "verdict.answer")),
    *(_STEP + leaf for leaf in ("text", "origin")),
    _DRAWN,
]
_KEYS = ("problem_id", "policy_key", "place")
_OF_ENTRY = (*_KEYS, "error", "num_tokens")
_LZ4 = pa.ipc.IpcWriteOptions(compression="lz4")


@dataclass(frozen=True, slots=True)
class Run:
    """What one run leaves to publish; several can go into one dataset.

    `problems` and `ledger` are paths of Parquet files on `filesystem`: problems each sorted by
    `problem_id`, the ledger's committed files in any order. `num_draws` is the configured number of
    draws a prefix. `rejected` are the rows that never became problems. `spans` are the first and last problem of ledger
    files, as far as they are known; the others are asked.
    """

    problems: Sequence[str]
    ledger: Sequence[str]
    num_draws: int
    filesystem: pafs.FileSystem
    rejected: Sequence[Rejected] = ()
    spans: Mapping[str, tuple[str, str]] = field(default_factory=dict)


class Entry(NamedTuple):
    """One row of a ledger: a problem with one policy's solutions, in `batch`. The first three are its place in the order."""

    problem_id: str
    policy_key: str
    place: int
    """The number of its file, of which the first counts."""
    error: str | None
    num_tokens: int
    solutions: int
    batch: pa.RecordBatch
    row: int


def sorted_entries(runs: Sequence[Run], folder: str | None = None) -> Iterator[Entry]:
    """All entries in order of problem and policy.

    A block that was committed twice around a crash holds the same rows again: the first counts.

    Args:
        folder: where parts of a large ledger wait; by default where temporary files lie.
    """
    with ExitStack() as stack:
        chains = _chains(runs)
        parts = _parts(runs) if chains is None else iter(())
        first, second = next(parts, None), next(parts, None)
        if chains is not None:
            sources = [_entries(_chained(chain, len(chains))) for chain in chains]
        elif second is None:
            sources = [_entries(_batches(first))] if first is not None else []
        else:
            aside = _Aside(stack.enter_context(tempfile.TemporaryFile(dir=folder)))
            places = []
            while first is not None:
                places.append([aside.put(batch) for batch in _batches(first)])
                first, second = second, next(parts, None)
            sources = [_entries(map(aside.take, own)) for own in places]
        last = None
        for entry in heapq.merge(*sources, key=itemgetter(0, 1, 2)):
            key = entry[:2]
            if key != last:
                yield entry
            last = key


@dataclass(frozen=True, slots=True)
class _File:
    """A file of a run's ledger, by the number that it has among all, and the first and last problem in it."""

    run: Run
    path: str
    place: int
    first: str
    last: str


def _chains(runs: Sequence[Run]) -> list[list[_File]] | None:
    """The ledgers' files in as few chains as can be, each in the order of its problems; None where there would be many."""
    if not all(isinstance(run.filesystem, pafs.LocalFileSystem) for run in runs):
        return None
    paths = [(run, path) for run in runs for path in sorted(run.ledger)]
    files = [file for place, (run, path) in enumerate(paths) if (file := _spanned(run, path, place))]
    chains: list[list[_File]] = []
    ends: list[tuple[str, int]] = []
    for file in sorted(files, key=attrgetter("first", "place")):
        if ends and ends[0][0] < file.first:
            number = heapq.heappop(ends)[1]
        else:
            number = len(chains)
            chains.append([])
            if len(chains) > MOST_CHAINS:
                return None
        chains[number].append(file)
        heapq.heappush(ends, (file.last, number))
    return chains


def _spanned(run: Run, path: str, place: int) -> _File | None:
    """The file with its first and last problem; None if it has none."""
    if path in run.spans:
        return _File(run, path, place, *run.spans[path])
    with pq.ParquetFile(path, filesystem=run.filesystem) as file:
        found = first_and_last(file, leaf_places(file))
    return found and _File(run, path, place, *found)


def leaf_places(file: pq.ParquetFile) -> dict[str, int]:
    """The number of each leaf's column, by the leaf's path."""
    leaves = file.metadata.schema
    return {leaves.column(index).path: index for index in range(len(leaves))}


def first_and_last(file: pq.ParquetFile, places: Mapping[str, int]) -> tuple[str, str] | None:
    """The least and the greatest id of the problems in a ledger file; None if it has none.

    Args:
        places: what `leaf_places` gives.
    """
    if not file.metadata.num_rows:
        return None
    at = places["problem_id"]
    found = [file.metadata.row_group(group).column(at).statistics for group in range(file.num_row_groups)]
    if all(each is not None and each.has_min_max for each in found):
        return min(each.min for each in found), max(each.max for each in found)
    bounds = pc.min_max(file.read(columns=["problem_id"], use_threads=False)["problem_id"]).as_py()
    return bounds["min"], bounds["max"]


def _chained(chain: Sequence[_File], chains: int) -> Iterator[pa.RecordBatch]:
    """The rows of a chain in order: some files at a time, one if there are many chains."""
    step = max(1, FILES_AT_ONCE // chains)
    for start in range(0, len(chain), step):
        for run, files in itertools.groupby(chain[start : start + step], key=attrgetter("run")):
            yield from _batches(_sorted([_counted(_read(run, file.path), run.num_draws, file.place) for file in files]))


class _Aside:
    """Batches in a file, of which memory holds the places."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def put(self, batch: pa.RecordBatch) -> tuple[int, int]:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema, options=_LZ4) as writer:
            writer.write_batch(batch)
        return self._file.tell(), self._file.write(sink.getvalue())

    def take(self, place: tuple[int, int]) -> pa.RecordBatch:
        self._file.seek(place[0])
        return pa.ipc.open_stream(self._file.read(place[1])).read_next_batch()


def _parts(runs: Sequence[Run]) -> Iterator[pa.Table]:
    """The ledgers in parts of bounded size, each sorted."""
    held: list[pa.Table] = []
    size = place = 0
    for run in runs:
        for table in _tables(run, place):
            held.append(table)
            size += table.nbytes
            if size >= PART_BYTES:
                yield _sorted(held)
                held, size = [], 0
        place += len(run.ledger)
    if held:
        yield _sorted(held)


def _sorted(tables: list[pa.Table]) -> pa.Table:
    table = pa.concat_tables(tables).combine_chunks()
    ids = table["problem_id"].chunk(0) if len(table) else None
    if ids is not None and pc.all(pc.less(ids[:-1], ids[1:])).as_py():
        return table
    return table.take(pc.sort_indices(table, [(name, "ascending") for name in _KEYS]))


def _read(run: Run, path: str) -> pa.Table:
    with pq.ParquetFile(path, filesystem=run.filesystem, read_dictionary=[_DRAWN]) as file:
        # Of several groups at once, Arrow reads no dictionary in a list.
        groups = [file.read_row_group(group, COLUMNS, use_threads=False) for group in range(file.num_row_groups)]
        return pa.concat_tables(groups) if groups else file.read(COLUMNS, use_threads=False)


def _tables(run: Run, place: int = 0) -> Iterator[pa.Table]:
    """The ledger's files, numbered from `place`, some joined into one table: many small tables cost more than what they hold."""

    def read(numbered: tuple[int, str]) -> pa.Table:
        return _counted(_read(run, numbered[1]), run.num_draws, numbered[0])

    paths = list(enumerate(sorted(run.ledger), place))
    with map_over(run.filesystem, FILES_AT_ONCE) as look:
        for start in range(0, len(paths), FILES_AT_ONCE):
            table = pa.concat_tables(look(read, paths[start : start + FILES_AT_ONCE])).combine_chunks()
            if len(table):
                yield table


def _counted(table: pa.Table, num_draws: int, place: int) -> pa.Table:
    """A file's rows with counts in place of the draws, the run's number of draws a prefix, and the file's number."""
    held = table["solutions"].combine_chunks()
    solutions = held.flatten()
    steps_held = solutions.field("steps")
    steps = steps_held.flatten()
    draws = steps.field("draws")
    drawn = draws.flatten().field("verdict").field("status")
    width = len(VERDICT_STATUSES)
    codes = codes_of(drawn.dictionary, VERDICT_STATUSES).take(drawn.indices.to_numpy())
    codes += np.repeat(np.arange(0, len(steps) * width, width), lengths_of(draws))
    counts = np.bincount(codes, minlength=len(steps) * width).reshape(-1, width).T.astype(np.int32)
    names = [COUNT.format(status) for status in VERDICT_STATUSES]
    columns = [steps.field("text"), steps.field("origin"), *map(pa.array, counts)]
    new_steps = listed(steps_held, pa.StructArray.from_arrays(columns, ["text", "origin", *names]))
    verdict = solutions.field("verdict")
    new = pa.StructArray.from_arrays(
        [solutions.field("solution_id"), solutions.field("text"), verdict.field("status"), verdict.field("answer"),
         new_steps],
        ["solution_id", "text", "status", "answer", "steps"],
    )  # fmt: skip
    same = [pa.array(np.full(len(table), number, np.int32)) for number in (place, num_draws)]
    plain = [table[name] for name in _PLAIN]
    return pa.Table.from_arrays(
        [*plain, same[0], listed(held, new), same[1]], [*_PLAIN, "place", "solutions", "num_draws"]
    )


def _batches(table: pa.Table) -> Iterator[pa.RecordBatch]:
    rows = max(1, BATCH_BYTES * len(table) // max(1, table.nbytes))
    yield from table.combine_chunks().to_batches(max_chunksize=rows)


def _entries(batches: Iterable[pa.RecordBatch]) -> Iterator[Entry]:
    for batch in batches:
        columns: list[list[Any]] = [batch.column(name).to_pylist() for name in _OF_ENTRY]
        solutions = lengths_of(batch.column("solutions")).tolist()
        yield from map(Entry, *columns, solutions, itertools.repeat(batch), range(len(batch)))
