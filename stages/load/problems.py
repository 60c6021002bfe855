"""From the sources of a configuration to the run's problem files, or to a table of what they hold."""

from __future__ import annotations

import asyncio
import posixpath
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import records
from pipeline.config import RunConfig
from pipeline.errors import RowError
from pipeline.markdown import Row, markdown_table
from pipeline.records import Problem, Rejected, VerdictStatus
from pipeline.store import Store, one_line_io_errors
from stages.label import UNJUDGED
from stages.load.given_responses import AMBIGUOUS, COLUMN, Responses, open_responses
from stages.load.parse import MAX_DETAIL, SourceSummary, VerifyGold, load, summarise, total
from stages.load.paths import locate
from stages.load.screen import REPORT, Screen, open_screen
from stages.verify.pool import VerifierPool

PART_BYTES = 256_000_000
"""Image bytes of one problem file: what its sorting holds in memory."""
MAX_BAD_ROWS = 20
"""Bad rows that `visualprm check` shows; a run's quarantine has them all."""
_COLUMN_REASONS = ("duplicate", "contaminated")


def read_sources(config: RunConfig, screen: Screen | None = None) -> Iterator[Problem | Rejected]:
    """Every row of every source, as a problem or with the reason why it can't be one."""
    # The reference accepts every gold for itself, and keeps what our modes can't read.
    for item in _with_readable_gold(config) if config.verify.compat is None else _load(config, _accept):
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
    store.write_json("problems.json", {"rejected": keep_rejected(store, rejected, screen)})


def keep_rejected(store: Store, rejected: Sequence[Rejected], screen: Screen | None) -> Counter[str]:
    """Writes the quarantine and what the screen found, and says how many; returns the reasons' counts."""
    reasons = Counter(item.reason for item in rejected)
    store.write_jsonl("quarantine/load.jsonl", map(Rejected.row, rejected))
    if screen:
        store.write_jsonl(REPORT, screen.report)
        for line in screen.summary():
            print(line, file=sys.stderr)
    for reason, count in sorted(reasons.items()):
        print(f"quarantined {count} rows: {reason}", file=sys.stderr)
    return reasons


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


def _load(config: RunConfig, verify_gold: VerifyGold) -> Iterator[Problem | Rejected]:
    seen: set[str] = set()
    for source in locate(config.sources, config.data_root):
        yield from load(source, verify_gold, seen, config.prompt)


def _with_readable_gold(config: RunConfig) -> Iterator[Problem | Rejected]:
    """The rows, those rejected whose gold answer their own modes don't accept.

    A busy machine may fail on an answer, too: those rows come late, after a second check.
    """
    limit_s = config.verify.time_limit_s
    late: dict[str, Problem] = {}
    with VerifierPool(config.verify.workers, limit_s) as pool, asyncio.Runner() as runner:

        def verify_gold(problem: Problem) -> str | None:
            status = runner.run(_gold_status(problem, pool))
            if status in UNJUDGED:
                # Accepted for now, so that the same problem further on is a duplicate, as on an idle machine.
                late[problem.problem_id] = problem
                return None
            return None if status == "correct" else _complaint(problem, status)

        for item in _load(config, verify_gold):
            if isinstance(item, Rejected) or item.problem_id not in late:
                yield item
            elif sum(map(_image_bytes, late.values())) > PART_BYTES:
                yield from _checked_again(late.values(), limit_s)
                late.clear()
    if late:
        yield from _checked_again(late.values(), limit_s)


def _checked_again(problems: Iterable[Problem], limit_s: float) -> Iterator[Problem | Rejected]:
    # A pool of their own: the first one remembers that they were late.
    with VerifierPool(1, limit_s) as pool, asyncio.Runner() as runner:
        for problem in problems:
            status = runner.run(_gold_status(problem, pool))
            if status == "correct":
                yield problem
                continue
            reason = "gold_unsettled" if status in UNJUDGED else "gold_rejected"
            yield Rejected(problem.source, problem.row_id, reason, _complaint(problem, status)[:MAX_DETAIL])


async def _gold_status(problem: Problem, pool: VerifierPool) -> VerdictStatus:
    response = f"Final answer: {problem.answer}"
    # An answer always equals itself; here the modes must be able to read it.
    verdict = await pool.verify(
        problem.answer, response, problem.verify, problem.options, problem.question, same_text=False
    )
    return verdict.status


def _complaint(problem: Problem, status: VerdictStatus) -> str:
    return f"{problem.answer!r} is {status} by {', '.join(problem.verify)}"


def _accept(problem: Problem) -> None:
    return None


def _image_bytes(problem: Problem) -> int:
    return sum(len(image.data) for image in problem.images)


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
        self._bytes += _image_bytes(problem)
        if self._bytes > PART_BYTES:
            self.flush()

    def flush(self) -> None:
        if not self._held:
            return
        rows = sorted(self._held, key=itemgetter("problem_id"))
        self._write(f"part-{self._parts:05d}.parquet", records.table(rows, self._schema))
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
                self._write(posixpath.basename(path), table.filter(pc.invert(gone)))
        return withdrawn

    def _write(self, name: str, table: pa.Table) -> None:
        with self._store.new_file(f"problems/{name}") as out:
            pq.write_table(table, out, row_group_size=32, compression="zstd")
