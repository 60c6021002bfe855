"""Results that come a few problems at a time: a Parquet file each, so that a stop costs only what is under way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.store import Store


def write_part(store: Store, table: pa.Table) -> None:
    """Adds a file as a whole; the caller holds the store's lock."""
    with store.new_file(f"parts/{len(_files(store)):06d}.parquet") as out:
        pq.write_table(table, out)


def done_problems(store: Store) -> set[str]:
    """The problems that are in any part."""
    return set(store.column(_files(store), "problem_id").to_pylist())


def read_parts(store: Store) -> Iterator[dict[str, Any]]:
    """All rows, in the order in which they were written."""
    for path in _files(store):
        yield from pq.read_table(path, filesystem=store.filesystem).to_pylist()


def _files(store: Store) -> list[str]:
    return store.files("parts", ".parquet")
