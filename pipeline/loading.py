"""From the sources of a configuration to the run's problem files, or to a table of what they hold."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterator

import pyarrow.parquet as pq

from pipeline import records
from pipeline.config import RunConfig
from pipeline.records import Problem, Rejected
from pipeline.store import Store, one_line_io_errors
from stages.load import SourceSummary, load, summarise
from stages.verify.pool import VerifierPool

PART_BYTES = 256_000_000
"""Image bytes of one problem file: what its sorting holds in memory."""


def read_sources(config: RunConfig) -> Iterator[Problem | Rejected]:
    """Every row of every source, as a problem or with the reason why it can't be one."""
    seen: set[str] = set()
    with VerifierPool(config.verify.workers, config.verify.time_limit_s) as pool:
        # The reference accepts every gold for itself, and keeps what our modes can't read.
        verify_gold = _gold_check(pool) if config.verify.compat is None else _accept
        for source in config.sources:
            yield from load(source, verify_gold, seen, config.prompt)


def load_problems(store: Store, config: RunConfig) -> None:
    """Reads every source once, into sorted problem files and a quarantine of the rows that can't be used."""
    store.clear("problems")
    rejected: list[Rejected] = []
    writer = _ProblemWriter(store)
    with one_line_io_errors(store.uri):
        for item in read_sources(config):
            if isinstance(item, Rejected):
                rejected.append(item)
            else:
                writer.add(item)
        writer.flush()
    reasons = Counter(item.reason for item in rejected)
    store.write_jsonl("quarantine/load.jsonl", map(_quarantine_row, rejected))
    store.write_json("problems.json", {"rejected": reasons})
    for reason, count in sorted(reasons.items()):
        print(f"quarantined {count} rows: {reason}", file=sys.stderr)


def check_sources(config: RunConfig) -> str:
    """`visualprm check`: a table of rows, bad rows by reason and kinds of answers, for every source."""
    return "\n".join(map(_summary_line, summarise(read_sources(config))))


def _summary_line(summary: SourceSummary) -> str:
    answers = ", ".join(f"{count} {kind}" for kind, count in summary.answers.most_common()) or "no usable row"
    bad = "; ".join(f"{count} {reason}" for reason, count in summary.rejected.most_common()) or "none"
    return f"{summary.source}: {summary.rows} rows ({answers}); bad: {bad}"


def _gold_check(pool: VerifierPool) -> Callable[[Problem], str | None]:
    loop = asyncio.new_event_loop()

    def check(problem: Problem) -> str | None:
        response = f"Final answer: {problem.answer}"
        verdict = loop.run_until_complete(
            # An answer always equals itself; here the modes must be able to read it.
            pool.verify(problem.answer, response, problem.verify, problem.options, problem.question, same_text=False)
        )
        return (
            None
            if verdict.status == "correct"
            else f"{problem.answer!r} is {verdict.status} by {', '.join(problem.verify)}"
        )

    return check


def _accept(problem: Problem) -> None:
    return None


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
