"""What the verdicts of a ledger's files are, as far as publishing must know before it begins: one look at each file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from pipeline.store import Store
from stages.label import UNJUDGED

_SOLUTION = "solutions.list.element."
_COLUMNS = [
    "problem_id",
    "verifier",
    f"{_SOLUTION}verdict.status",
    f"{_SOLUTION}steps.list.element.draws.list.element.verdict.status",
]
_UNJUDGED = pa.array(sorted(UNJUDGED))
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Held:
    """Of a ledger file: who gave its verdicts (null before that was recorded), whether one of them could not be given, and
    its first and last problem, which are null where it has none.
    """

    verifiers: frozenset[str | None]
    unsettled: bool
    first: str | None
    last: str | None


def held(store: Store, files: Iterable[str] | None = None) -> dict[str, Held]:
    """What each of these ledger files holds, by its path; all of the committed ledger by default."""
    paths = store.ledger_files() if files is None else list(files)

    def look(path: str) -> Held:
        # Not read_table, which takes ten times as long for a small file.
        with pq.ParquetFile(path, filesystem=store.filesystem) as file:
            return _held(file.read(columns=_COLUMNS, use_threads=False))

    # Threads hide the latency of a store; on a disk they would only cost memory.
    with ThreadPoolExecutor(1 if isinstance(store.filesystem, pafs.LocalFileSystem) else _AT_ONCE) as pool:
        return dict(zip(paths, pool.map(look, paths), strict=True))


def verifiers(found: Iterable[Mapping[str, Held]]) -> set[str | None]:
    """Whose verdicts some ledgers hold."""
    return {one for files in found for file in files.values() for one in file.verifiers}


def spans(files: Mapping[str, Held]) -> dict[str, tuple[str, str]]:
    """The first and last problem of each file that has one, by its path."""
    return {
        path: (one.first, one.last) for path, one in files.items() if one.first is not None and one.last is not None
    }


def _held(rows: pa.Table) -> Held:
    # A ledger from before verifiers were recorded lacks the column.
    gave = pc.unique(rows["verifier"]).to_pylist() if "verifier" in rows.column_names else [None]
    unsettled = any(pc.any(pc.is_in(one, _UNJUDGED)).as_py() for one in _statuses(rows))
    bounds = pc.min_max(rows["problem_id"]).as_py()
    return Held(frozenset(gave), unsettled, bounds["min"], bounds["max"])


def _statuses(rows: pa.Table) -> Iterator[pa.Array]:
    for chunk in rows["solutions"].chunks:
        solutions = chunk.flatten()
        yield solutions.field("verdict").field("status")
        yield solutions.field("steps").flatten().field("draws").flatten().field("verdict").field("status")
