"""The command line with the scripted engine in this process instead of Ray's graph: a run takes a second.

    python -m tests.faults.alone dataset CONFIG

Loading, the ledger's blocks and their commits, mending and publishing are the program's own.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import os
from collections.abc import Iterator, Sequence
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.cli import main
from pipeline.config import RunConfig
from pipeline.store import PENDING_SUFFIX, Store
from stages.annotate.annotator import Annotator
from stages.annotate.ledger_sink import write_block
from stages.annotate.tally import Tally
from stages.verify.pool import VerifierPool

POOLS = ("stages.verify.pool", "stages.load.problems", "stages.publish.reverify", "stages.best_of_n.sample")
"""What starts verifiers."""


class _KeptPool(VerifierPool):
    """Verifiers that outlive who asks them: to start one takes a second of CPU time, ten times what a run here takes."""

    def close(self) -> None:
        pass


@functools.cache
def _kept_pool(workers: int, time_limit_s: float) -> VerifierPool:
    pool = _KeptPool(workers, time_limit_s)
    atexit.register(VerifierPool.close, pool)
    return pool


def annotate_here(
    store: Store, config: RunConfig, templates: dict[str, str], model: str, files: Sequence[str], before: Tally
) -> None:
    """As `stages.annotate.graph.annotate_problems`; a block is committed as Ray commits it."""
    done = store.done_ids()
    tables = [pq.read_table(path) for path in files]
    rows = [row for table in tables for row in table.to_pylist() if row["problem_id"] not in done]
    size = config.ray.rows_per_block
    blocks = [rows[start : start + size] for start in range(0, len(rows), size)]
    annotator = Annotator(config, templates, model)
    try:
        asyncio.run(_annotate(store, blocks, tables[0].schema, annotator))
    finally:
        annotator._pool.close()


async def _annotate(store: Store, blocks: list[list[dict]], schema: pa.Schema, annotator: Annotator) -> None:
    write = os.urandom(4).hex()
    for number, block in enumerate(blocks):
        async for made in annotator(pa.Table.from_pylist(block, schema=schema)):
            name = f"{write}_{number:06}"
            os.makedirs(store.path("checkpoint"), exist_ok=True)
            pending = store.path("checkpoint", name + PENDING_SUFFIX)
            pq.write_table(made.select(["problem_id"]), pending)
            write_block(store, name, made)
            os.replace(pending, store.commit_path(name))


@contextlib.contextmanager
def without_ray() -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        stack.enter_context(patch("stages.annotate.complete.annotate_problems", annotate_here))
        stack.enter_context(patch("stages.annotate.complete.ray_session", lambda config: contextlib.nullcontext()))
        # Its thread would outlive the run in this process.
        stack.enter_context(patch("stages.annotate.counters.Meter._write", lambda meter: None))
        for module in POOLS:
            stack.enter_context(patch(f"{module}.VerifierPool", _kept_pool))
        yield


if __name__ == "__main__":
    with without_ray():
        main()
