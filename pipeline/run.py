"""The dataset run: load, annotate, publish; each part does only what is still missing."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack

import pyarrow.parquet as pq

from pipeline import records
from pipeline.claim import claim, read_templates
from pipeline.config import RunConfig
from pipeline.errors import UserError
from pipeline.graph import annotate_problems, ray_session
from pipeline.policy import check_model, model_fingerprint
from pipeline.progress import clock, current_rate, progress_bar
from pipeline.publication import publish_run
from pipeline.records import Problem, Rejected
from pipeline.shards import check_output
from pipeline.store import Store, one_line_io_errors, open_uri
from stages.load import load
from stages.verify.pool import VerifierPool

PART_BYTES = 256_000_000
"""Image bytes of one problem file: what its sorting holds in memory."""


def run_dataset(config: RunConfig) -> None:
    """Brings a run to its end, from wherever it stands.

    Raises:
        UserError: settings, files or the disk don't allow it.
    """
    started = time.time()
    templates = read_templates(config)
    check_model(config.engine)
    model = model_fingerprint(config.engine)
    store = Store(config.run_dir)
    store.make()
    filesystem, out = open_uri(config.output_dir)
    check_output(out, filesystem)
    with store.lock():
        claim(store, config, templates, model)
        if not store.exists("problems.json"):
            load_problems(store, config)
        problems, done = store.problem_ids(), store.done_ids()
        if not problems:
            raise UserError(f"{store.uri}: no source gave a usable problem; quarantine/ says why for each row")
        if pending := len(problems - done):
            annotate_pending(store, config, templates, model, len(problems), pending)
        fresh = publish_run(store, config, force=False)
    if not pending and not fresh:
        print(f"nothing to do: {len(problems)} problems are done and published in {config.output_dir}")
    else:
        print(_closing(store, config, started))


def annotate_pending(
    store: Store, config: RunConfig, templates: dict[str, str], model: str, total: int, pending: int
) -> None:
    print(f"{pending} of {total} problems to annotate", file=sys.stderr)
    store.clear("progress")
    absolute = config.model_copy(update={"run_dir": store.uri if not store.local else store.root})
    with one_line_io_errors(store.uri), ray_session(config), progress_bar(store, total, total - pending):
        annotate_problems(store, absolute, templates, model)


def load_problems(store: Store, config: RunConfig) -> None:
    """Reads every source once, into sorted problem files and a quarantine of the rows that can't be used."""
    store.clear("problems")
    seen: set[str] = set()
    counts: dict[str, Counter[str]] = {source.name: Counter() for source in config.sources}
    rejected: list[Rejected] = []
    writer = _ProblemWriter(store)
    with ExitStack() as stack, one_line_io_errors(store.uri):
        verify_gold = _gold_check(stack.enter_context(VerifierPool(config.verify.workers, config.verify.time_limit_s)))
        for source in config.sources:
            for item in load(source, verify_gold, seen, config.prompt):
                counts[source.name]["rejected" if isinstance(item, Rejected) else "problems"] += 1
                rejected.append(item) if isinstance(item, Rejected) else writer.add(item)
        writer.flush()
    store.write_jsonl("quarantine/load.jsonl", map(_quarantine_row, rejected))
    store.write_json("problems.json", {"sources": counts, "rejected": Counter(item.reason for item in rejected)})
    for reason, count in sorted(Counter(item.reason for item in rejected).items()):
        print(f"quarantined {count} rows: {reason}", file=sys.stderr)


def _gold_check(pool: VerifierPool) -> Callable[[Problem], str | None]:
    loop = asyncio.new_event_loop()

    def check(problem: Problem) -> str | None:
        response = f"Final answer: {problem.answer}"
        verdict = loop.run_until_complete(
            pool.verify(problem.answer, response, problem.verify, problem.options, problem.question)
        )
        return (
            None
            if verdict.status == "correct"
            else f"{problem.answer!r} is {verdict.status} by {', '.join(problem.verify)}"
        )

    return check


def _quarantine_row(item: Rejected) -> dict[str, str]:
    return {"source": item.source, "id": item.row_id, "reason": item.reason, "detail": item.detail}


class _ProblemWriter:
    """Writes problem files of bounded size, each sorted by id, so that publishing can merge them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._held: list[Problem] = []
        self._bytes = self._parts = 0

    def add(self, problem: Problem) -> None:
        self._held.append(problem)
        self._bytes += sum(len(image.data) for image in problem.images)
        if self._bytes > PART_BYTES:
            self.flush()

    def flush(self) -> None:
        if not self._held:
            return
        rows = map(records.problem_row, sorted(self._held, key=lambda problem: problem.problem_id))
        self._store.filesystem.create_dir(self._store.path("problems"), recursive=True)
        pq.write_table(
            records.table(rows, records.PROBLEM_SCHEMA),
            self._store.path("problems", f"part-{self._parts:05d}.parquet"),
            filesystem=self._store.filesystem,
            row_group_size=32,
            compression="zstd",
        )
        self._held, self._bytes, self._parts = [], 0, self._parts + 1


def _closing(store: Store, config: RunConfig, started: float) -> str:
    rate = current_rate(store, since=started)
    speed = f", {rate.tokens_per_s:,.0f} tokens/s while the engine ran" if rate.tokens_per_s else ""
    return f"{clock(time.time() - started)} in all{speed}; dataset in {config.output_dir}"
