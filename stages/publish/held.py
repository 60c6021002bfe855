"""What the verdicts of a ledger's files are, as far as publishing must know before it begins: one look at each file.

Few values are in these columns, so their writer puts each distinct one into a dictionary before the rows, and no more than a row is
read to have it. Where a file has no dictionary, all rows are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.store import Store, map_over
from stages.label import UNJUDGED
from stages.publish.entries import first_and_last, leaf_places

_VERIFIER = "verifier"
_SOLUTION = "solutions.list.element."
_STATUSES = [f"{_SOLUTION}verdict.status", f"{_SOLUTION}steps.list.element.draws.list.element.verdict.status"]
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
        with pq.ParquetFile(path, filesystem=store.filesystem, read_dictionary=_STATUSES) as file:
            return _held(file)

    with map_over(store.filesystem, _AT_ONCE) as each:
        return dict(zip(paths, each(look, paths), strict=True))


def verifiers(found: Iterable[Mapping[str, Held]]) -> set[str | None]:
    """Whose verdicts some ledgers hold."""
    return {one for files in found for file in files.values() for one in file.verifiers}


def spans(files: Mapping[str, Held]) -> dict[str, tuple[str, str]]:
    """The first and last problem of each file that has one, by its path."""
    return {
        path: (one.first, one.last) for path, one in files.items() if one.first is not None and one.last is not None
    }


def _held(file: pq.ParquetFile) -> Held:
    gave: set[str | None] = set()
    unsettled = False
    places = leaf_places(file)
    for group in range(file.num_row_groups):
        described = file.metadata.row_group(group)
        leaves = {name: described.column(places[name]) for name in (_VERIFIER, *_STATUSES) if name in places}
        gave |= _gave(file, group, leaves)
        unsettled = unsettled or bool(_statuses(file, group, leaves) & UNJUDGED)
    return Held(frozenset(gave), unsettled, *(first_and_last(file, places) or (None, None)))


def _gave(file: pq.ParquetFile, group: int, leaves: Mapping[str, pq.ColumnChunkMetaData]) -> set[str | None]:
    """Who gave the verdicts of a row group."""
    if _VERIFIER not in leaves:
        # A ledger from before verifiers were recorded.
        return {None} if file.metadata.row_group(group).num_rows else set()
    found = leaves[_VERIFIER].statistics
    if found is not None and found.has_min_max and found.min == found.max and found.null_count == 0:
        return {found.min}
    return set(file.read_row_group(group, [_VERIFIER], use_threads=False)[_VERIFIER].to_pylist())


def _statuses(file: pq.ParquetFile, group: int, leaves: Mapping[str, pq.ColumnChunkMetaData]) -> set[str]:
    """The statuses of a row group.

    A dictionary has those of the whole group, and comes with the first row that has a verdict of its kind: where the first
    row of all has no draws, or no solutions, the group is read.
    """
    count = max(1, file.metadata.row_group(group).num_rows)
    if all(leaves[name].has_dictionary_page for name in _STATUSES):
        found = _dictionaries(next(file.iter_batches(1, [group], _STATUSES, use_threads=False), None))
        if all(found):
            return set().union(*found)
    batches = file.iter_batches(count, [group], _STATUSES, use_threads=False)
    return set().union(*(statuses for batch in batches for statuses in _dictionaries(batch)))


def _dictionaries(batch: pa.RecordBatch | None) -> tuple[set[str], set[str]]:
    """The statuses of solutions and of draws that a batch's dictionaries hold, whether or not they stand in its rows."""
    if batch is None:
        return set(), set()
    solutions = batch["solutions"].flatten()
    draws = solutions.field("steps").flatten().field("draws").flatten()
    one, other = (set(each.field("verdict").field("status").dictionary.to_pylist()) for each in (solutions, draws))
    return one, other
