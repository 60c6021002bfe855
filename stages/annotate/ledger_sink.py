"""How Ray Data writes the ledger: a file a block, whole or not at all, on the disk before its commit, named by its sum."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from pipeline import atomic
from pipeline.store import PENDING_SUFFIX, Store


def ledger_sink(store: Store) -> Any:
    """A `Datasink` whose files Ray commits in two phases, as it does those of `write_parquet`."""
    from ray._common.retry import call_with_retry
    from ray.data._internal.planner.plan_write_op import WRITE_UUID_KWARG_NAME
    from ray.data.block import BlockAccessor
    from ray.data.datasource.file_datasink import _FileDatasink

    class LedgerSink(_FileDatasink):
        def __init__(self) -> None:
            super().__init__(store.path("annotations"), filesystem=store.filesystem, file_format="parquet")
            self._uri = store.root if store.local else store.uri
            self._fence = store.fence

        def write(self, blocks: Iterable[Any], ctx: Any) -> None:
            tables = [BlockAccessor.for_block(block).to_arrow() for block in blocks]
            rows = pa.concat_tables([table for table in tables if table.num_rows] or tables[:1])
            if rows.num_rows:
                file = self.filename_provider.get_filename_for_task(ctx.kwargs[WRITE_UUID_KWARG_NAME], ctx.task_idx)
                block, _ = posixpath.splitext(file)
                call_with_retry(
                    lambda: write_block(Store(self._uri), block, rows),
                    description=f"write {block}",
                    match=self._data_context.retried_io_errors,
                )
                # What another driver has taken over by now is not committed.
                if self._fence:
                    self._fence.check()

    return LedgerSink()


def write_block(store: Store, block: str, rows: pa.Table) -> None:
    """Writes a block that Ray will commit next, by renaming the list of its problems.

    The list is forced to the disk too: a commit must not become an empty file in a power cut.
    """
    store.add_block(block, rows)
    atomic.sync(store.path("checkpoint", block + PENDING_SUFFIX), store.filesystem)
