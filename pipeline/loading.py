"""From the sources of a configuration to the run's problem files, or to a table of what they hold."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import records
from pipeline.config import RunConfig
from pipeline.errors import RowError
from pipeline.markdown import Row, markdown_table
from pipeline.places import locate
from pipeline.records import Problem, Rejected
from pipeline.responses import AMBIGUOUS, COLUMN, Responses, open_responses
from pipeline.screen import REPORT, Screen, open_screen
from pipeline.store import Store, one_line_io_errors
from stages.load import SourceSummary, load, summarise, total
from stages.verify.pool import VerifierPool

PART_BYTES = 256_000_000
"""Image bytes of one problem file: what its sorting holds in memory."""
MAX_BAD_ROWS = 20
"""Bad rows that `visualprm check` shows; a run's quarantine has them all."""
_COLUMN_REASONS = ("duplicate", "contaminated")


def read_sources(config: RunConfig, screen: Screen | None = None) -> Iterator[Problem | Rejected]:
    """Every row of every source, as a problem or with the reason why it can't be one."""
    seen: set[str] = set()
    sources = locate(config.sources, config.data_root)
    with VerifierPool(config.verify.workers, config.verify.time_limit_s) as pool:
        # The reference accepts every gold for itself, and keeps what our modes can't read.
        verify_gold = _gold_check(pool) if config.verify.compat is None else _accept
        for source in sources:
            for item in load(source, verify_gold, seen, config.prompt):
                yield screen(item) if screen and isinstance(item, Problem) else item


def load_problems(store: Store, config: RunConfig) -> None:
    """Reads every source once, into sorted problem files and a quarantine of the rows that can't be used."""
    store.clear("problems")
    responses = open_responses(config)
    rejected: list[Rejected] = [*responses.rejected] if responses else []
    writer = _ProblemWriter(store, responses)
    screen = open_screen(config)
    with one_line_io_errors(store.uri):
        for item in read_sources(config, screen):
            if isinstance(item, Rejected):
                rejected.append(item)
                continue
            try:
                writer.add(item)
            except RowError as error:
                rejected.append(Rejected(item.source, item.row_id, error.reason, error.detail))
        writer.flush()
        if responses and responses.withdrawn:
            rejected.extend(writer.withdraw(responses.withdrawn))
    if responses and (unmatched := responses.unmatched()):
        print(f"{unmatched} responses name no problem of this run", file=sys.stderr)
    reasons = Counter(item.reason for item in rejected)
    store.write_jsonl("quarantine/load.jsonl", map(_quarantine_row, rejected))
    if screen:
        store.write_jsonl(REPORT, screen.report)
        for line in screen.summary():
            print(line, file=sys.stderr)
    store.write_json("problems.json", {"rejected": reasons})
    for reason, count in sorted(reasons.items()):
        print(f"quarantined {count} rows: {reason}", file=sys.stderr)


def check_sources(config: RunConfig) -> str:
    """`visualprm check`: a table of rows, bad rows by reason and kinds of answers, then some of the bad rows."""
    screen = open_screen(config)
    shown: list[str] = []
    hidden = 0

    def bad_rows_noted() -> Iterator[Problem | Rejected]:
        nonlocal hidden
        for item in read_sources(config, screen):
            if isinstance(item, Rejected) and item.reason not in _COLUMN_REASONS:
                if len(shown) < MAX_BAD_ROWS:
                    shown.append(f"{item.source} {item.row_id}: {item.reason}: {item.detail}".replace("\n", " "))
                else:
                    hidden += 1
            yield item

    table = _check_table(summarise(bad_rows_noted()), screened=screen is not None)
    more = [f"… and {hidden:,} more bad rows"] if hidden else []
    blocks = [[table], screen.summary() if screen else [], shown + more]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _check_table(summaries: Sequence[SourceSummary], screened: bool) -> str:
    rows = [_check_row(summary, screened) for summary in (*summaries, total(summaries))]
    return markdown_table(("source", "rows", "problems", "duplicates", "contaminated", "bad", "why", "answers"), rows)


def _check_row(summary: SourceSummary, screened: bool) -> Row:
    bad = {reason: count for reason, count in summary.rejected.most_common() if reason not in _COLUMN_REASONS}
    contaminated = summary.flagged + summary.rejected["contaminated"]
    return (
        summary.source,
        f"{summary.rows:,}",
        f"{summary.rows - summary.rejected.total():,}",
        f"{summary.rejected['duplicate']:,}",
        f"{contaminated:,}" if screened else "–",
        f"{sum(bad.values()):,}",
        ", ".join(f"{reason} {count:,}" for reason, count in bad.items()),
        ", ".join(f"{kind} {count:,}" for kind, count in summary.answers.most_common()),
    )


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

    def __init__(self, store: Store, responses: Responses | None) -> None:
        self._store, self._responses = store, responses
        self._schema = records.PROBLEM_SCHEMA
        if responses:
            self._schema = self._schema.append(pa.field(COLUMN, pa.list_(pa.string())))
        self._held: list[dict[str, Any]] = []
        self._bytes = self._parts = 0

    def add(self, problem: Problem) -> None:
        """Raises RowError if solutions are given, but none for this problem."""
        given = {COLUMN: self._responses.of(problem)} if self._responses else {}
        self._held.append({**records.problem_row(problem), **given})
        self._bytes += sum(len(image.data) for image in problem.images)
        if self._bytes > PART_BYTES:
            self.flush()

    def flush(self) -> None:
        if not self._held:
            return
        rows = sorted(self._held, key=itemgetter("problem_id"))
        self._store.filesystem.create_dir(self._store.path("problems"), recursive=True)
        self._write(self._store.path("problems", f"part-{self._parts:05d}.parquet"), records.table(rows, self._schema))
        self._held, self._bytes, self._parts = [], 0, self._parts + 1

    def withdraw(self, problem_ids: set[str]) -> list[Rejected]:
        """Takes flushed problems out again: a later one fits their responses as well."""
        withdrawn: list[Rejected] = []
        for path in self._store.problem_files():
            # As one file: a dataset would look for partitions in the path.
            with self._store.filesystem.open_input_file(path) as file:
                table = pq.read_table(file)
            gone = pc.is_in(table["problem_id"], pa.array(sorted(problem_ids), pa.string()))
            names = table.select(["source", "row_id"]).filter(gone).to_pylist()
            withdrawn += [Rejected(row["source"], row["row_id"], "ambiguous_response", AMBIGUOUS) for row in names]
            if len(names) == len(table):
                self._store.filesystem.delete_file(path)
            elif names:
                self._write(path, table.filter(pc.invert(gone)))
        return withdrawn

    def _write(self, path: str, table: pa.Table) -> None:
        pq.write_table(table, path, filesystem=self._store.filesystem, row_group_size=32, compression="zstd")
