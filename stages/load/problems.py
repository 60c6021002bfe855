"""From the sources of a configuration to the run's problem files, or to a table of what they hold."""

from __future__ import annotations

import asyncio
import posixpath
from collections import Counter
from collections.abc import Awaitable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from operator import itemgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import records, schemas
from pipeline.config import RunConfig
from pipeline.errors import RowError
from pipeline.records import GoldReading, Problem, Rejected, Verdict, VerdictStatus
from pipeline.source_config import SourceConfig
from pipeline.store import Store, one_line_io_errors
from pipeline.terminal.speak import say
from stages.label import UNJUDGED
from stages.load.given_responses import AMBIGUOUS, COLUMN, Responses, open_responses
from stages.load.parse import MAX_DETAIL, Ahead, VerifyGold, load
from stages.load.paths import locate
from stages.load.screen import REPORT, Screen, open_screen
from stages.verify.pool import VerifierPool
from stages.verify.references import begin_each

PART_BYTES = 256_000_000
"""Image bytes of one problem file: what its sorting holds in memory."""
READINGS = "gold.json"
"""Of a run directory: how the golds of sources with `gold: auto` are read."""


def read_sources(
    config: RunConfig, screen: Screen | None = None, readings: MutableMapping[str, GoldReading] | None = None
) -> Iterator[Problem | Rejected]:
    """Every row of every source, as a problem or with the reason why it can't be one.

    `readings` is as for `stages.load.load`.
    """
    decided = {} if readings is None else readings
    # The reference accepts every gold for itself, and keeps what our modes can't read.
    compat = config.verify.compat is not None
    look = screen.look if screen else _accept
    for item in _load(config, _accept, decided, False, look) if compat else _with_readable_gold(config, decided, look):
        yield screen(item) if screen and isinstance(item, Problem) else item


def load_problems(store: Store, config: RunConfig) -> None:
    """Reads every source once, into sorted problem files and a quarantine of the rows that can't be used."""
    store.clear("problems")
    responses = open_responses(config)
    rejected: list[Rejected] = [*responses.rejected] if responses else []
    writer = ProblemWriter(store, responses, set_columns(config.sources))
    screen = open_screen(config)
    readings = recorded_readings(store)
    recorded = len(readings)
    with one_line_io_errors(store.uri):
        for item in read_sources(config, screen, readings):
            if len(readings) > recorded:
                # At once: a run that is called again must read the golds alike, whatever rows came in between.
                store.write_json(READINGS, readings)
                recorded = len(readings)
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
    # Recorded first: an output that is closed must not cost the record that all is read.
    reasons = write_rejected(store, rejected, screen)
    store.write_json("problems.json", {"problems": writer.problems, "rejected": reasons})
    if responses and (unmatched := responses.unmatched()):
        say(f"{unmatched} responses name no problem of this run")
    tell_rejected(reasons, screen)


def recorded_readings(store: Store) -> dict[str, GoldReading]:
    """What the golds of a run's sources with `gold: auto` are, as far as that is decided; by the source's name."""
    found: dict[str, GoldReading] = store.read_json(READINGS) if store.exists(READINGS) else {}
    return found


def write_rejected(store: Store, rejected: Sequence[Rejected], screen: Screen | None) -> Counter[str]:
    """Writes the quarantine and what the screen found; returns the reasons' counts."""
    store.write_jsonl("quarantine/load.jsonl", map(Rejected.row, rejected))
    if screen:
        store.write_jsonl(REPORT, screen.report)
    return Counter(item.reason for item in rejected)


def tell_rejected(reasons: Mapping[str, int], screen: Screen | None) -> None:
    """Says how many rows were left out, and what the screen found."""
    for line in screen.summary() if screen else ():
        say(line)
    for reason, count in sorted(reasons.items()):
        say(f"quarantined {count} rows: {reason}")


def _load(
    config: RunConfig,
    verify_gold: VerifyGold,
    readings: MutableMapping[str, GoldReading],
    demand_options: bool,
    ahead: Ahead,
) -> Iterator[Problem | Rejected]:
    seen: set[str] = set()
    for source in locate(config.sources, config.data_root):
        yield from load(source, verify_gold, seen, config.prompt, readings, demand_options, ahead)


def _with_readable_gold(
    config: RunConfig, readings: MutableMapping[str, GoldReading], look: Ahead
) -> Iterator[Problem | Rejected]:
    """The rows, those rejected whose gold answer their own modes don't accept.

    A busy machine may fail on an answer, too: those rows come late, after a second check.
    """
    limit_s = config.verify.time_limit_s
    late: dict[str, Problem] = {}
    with VerifierPool(config.verify.workers, limit_s) as pool, asyncio.Runner() as runner:
        # Not `runner.run`, which changes what Ctrl-C does and back again for every row.
        loop = runner.get_loop()

        def verify_gold(problem: Problem) -> str | None:
            status = loop.run_until_complete(gold_status(problem, pool))
            if status in UNJUDGED:
                # Accepted for now, so that the same problem further on is a duplicate, as on an idle machine.
                late[problem.problem_id] = problem
                return None
            return None if status == "correct" else _complaint(problem, status)

        def ahead(problem: Problem) -> None:
            # Algebra takes long; its verdict is remembered. Modes without it are as fast as remembering.
            if "math" in problem.verify:
                asyncio.run(gold_status(problem, pool))
            look(problem)

        for item in _load(config, verify_gold, readings, True, ahead):
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
            status = runner.run(gold_status(problem, pool))
            if status == "correct":
                yield problem
                continue
            reason = "gold_unsettled" if status in UNJUDGED else "gold_rejected"
            yield Rejected(problem.source, problem.row_id, reason, _complaint(problem, status)[:MAX_DETAIL])


async def gold_status(problem: Problem, pool: VerifierPool) -> VerdictStatus:
    response = f"Final answer: {problem.answer}"

    def begin(gold: str) -> Awaitable[Verdict]:
        # An answer always equals itself; here the modes must be able to read it.
        return pool.verify(gold, response, problem.verify, problem.options, problem.question, same_text=False)

    verdict = await begin_each(problem.answer, problem.references, begin)
    return verdict.status


def _complaint(problem: Problem, status: VerdictStatus) -> str:
    modes = ", ".join(problem.verify)
    if problem.references is None:
        return f"{problem.answer!r} is {status} by {modes}"
    most, needed = len(problem.references.answers), problem.references.at_least
    return f"{problem.answer!r}, given most often, is {status} by {modes}: it must equal {needed} of {most} references"


def _accept(problem: Problem) -> None:
    return None


def _image_bytes(problem: Problem) -> int:
    return sum(len(image.data) for image in problem.images)


def set_columns(sources: Sequence[SourceConfig]) -> list[pa.Field]:
    """The columns that only problems have whose sources set them."""
    several = any(source.references is not None for source in sources)
    limited = any(source.max_pixels is not None for source in sources)
    return [schemas.REFERENCES] * several + [schemas.MAX_PIXELS] * limited


class ProblemWriter:
    """Writes problem files of bounded size, each sorted by id, so that publishing can merge them."""

    def __init__(self, store: Store, responses: Responses | None, columns: Sequence[pa.Field] = ()) -> None:
        self._store, self._responses = store, responses
        self._schema = schemas.PROBLEM_SCHEMA
        for column in columns:
            self._schema = self._schema.append(column)
        if responses:
            self._schema = self._schema.append(pa.field(COLUMN, pa.list_(pa.string())))
        self._held: list[dict[str, Any]] = []
        self._bytes = self._parts = self.problems = 0

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
        self._write(f"part-{self._parts:05d}.parquet", schemas.table(rows, self._schema))
        self.problems += len(rows)
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
            self.problems -= len(names)
            withdrawn += [Rejected(row["source"], row["row_id"], "ambiguous_response", AMBIGUOUS) for row in names]
            if len(names) == len(table):
                self._store.remove(f"problems/{posixpath.basename(path)}")
            elif names:
                self._write(posixpath.basename(path), table.filter(pc.invert(gone)))
        return withdrawn

    def _write(self, name: str, table: pa.Table) -> None:
        with self._store.new_file(f"problems/{name}") as out:
            pq.write_table(table, out, row_group_size=32, compression="zstd")
