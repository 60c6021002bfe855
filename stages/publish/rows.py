"""Publish: problems and their ledger become Parquet shards, one row a solution, that `datasets` loads.

Both sides are joined by `problem_id`. Problem files are sorted by it (it is a SHA-256 hash, so this is
also a shuffle) and merged row by row with the sorted ledger (`entries.py`). Neither images nor texts gather: one row
group of each problem file, one batch of each sorted part of the ledger and one row group to be written are in memory,
however large the corpus is. The same ledger gives the same bytes, whatever the order of files and rows.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import operator
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from operator import attrgetter

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from pipeline import atomic
from pipeline.config import PublishConfig
from pipeline.errors import UserError
from pipeline.records import Rejected
from pipeline.store import one_line_io_errors
from stages.judge.verdicts import Judgements
from stages.publish.entries import Entry, Run, sorted_entries
from stages.publish.shards import LAST, ShardWriter, check_output, write_documents
from stages.publish.solutions import Labeller, PublishedProblem, published_table, schema_of
from stages.publish.stats import Stats

PROBLEM_COLUMNS = ["problem_id", "source", "row_id", "question", "answer", "images", "options", "contamination"]
_LIGHT = ["problem_id", "source", "row_id", "contamination"]
"""In the order of `PublishedProblem`'s first fields."""


def publish(
    runs: Sequence[Run],
    out_dir: str,
    filesystem: pafs.FileSystem,
    config: PublishConfig,
    label: Labeller,
    describe: Callable[[Stats, str], Mapping[str, str]] = lambda stats, folder: {},
    judgements: Judgements | None = None,
) -> Stats:
    """Writes the dataset of one or more runs to `out_dir`, in place of what was published there before.

    Rows are in order of `problem_id`, policy, solution. `describe` gets the statistics and the folder
    with the finished shards, and returns the texts of `DOCUMENTS`, which then lie beside them. On a local
    disk the folder appears as a whole; on an object store the last document appears after everything else.
    `judgements` are those that labels heed.

    Raises:
        UserError: the folder can't be written, is full or holds other files; a ledger doesn't belong to
            the problems, or problems aren't sorted.
    """
    out_dir = atomic.place(out_dir, filesystem)
    check_output(out_dir, filesystem)
    stats = Stats()
    for (source, reason), number in _left_out(runs).items():
        stats.sources[source][f"quarantined.{reason}"] += number
    with one_line_io_errors(out_dir), atomic.new_folder(out_dir, filesystem, LAST) as folder:
        aside = folder if isinstance(filesystem, pafs.LocalFileSystem) else None
        build = partial(published_table, label=label, stats=stats, judgements=judgements)
        schema = schema_of(judgements)
        with closing(ShardWriter(folder, filesystem, config, schema, build)) as shards:
            for problem in _joined(_merged_problems(runs), sorted_entries(runs, aside)):
                rows = problem.rows
                _count(problem, rows, stats)
                if rows:
                    shards.take(problem, rows, problem.images)
            stats.shards = shards.finish()
        write_documents(folder, filesystem, describe(stats, folder), shards.sums)
    return stats


def _left_out(runs: Sequence[Run]) -> Counter[tuple[str, str]]:
    """Rejected rows by source and reason; runs that read the same sources rejected the same rows."""
    counts = (Counter((item.source, item.reason) for item in run.rejected) for run in runs)
    return functools.reduce(operator.or_, counts, Counter())


def _joined(problems: Iterable[PublishedProblem], entries: Iterable[Entry]) -> Iterator[PublishedProblem]:
    """The problems, each with its entries; both come in order.

    Raises:
        UserError: entries of other problems.
    """
    groups = ((key, list(own)) for key, own in itertools.groupby(entries, key=attrgetter("problem_id")))
    waiting = next(groups, None)
    strangers: list[str] = []
    for problem in problems:
        while waiting is not None and waiting[0] < problem.problem_id:
            strangers.append(waiting[0])
            waiting = next(groups, None)
        if waiting is not None and waiting[0] == problem.problem_id:
            problem.entries = waiting[1]
            waiting = next(groups, None)
        yield problem
    while waiting is not None:
        strangers.append(waiting[0])
        waiting = next(groups, None)
    if strangers:
        raise UserError(
            f"{len(strangers)} problems of the ledger are in no problem file, {strangers[0]} first: "
            "publish a run's ledger with the problems of the same run"
        )


def _merged_problems(runs: Sequence[Run]) -> Iterator[PublishedProblem]:
    """All problems in order of `problem_id`, each once."""
    key = attrgetter("problem_id")
    files = [_sorted_problems(path, run.filesystem) for run in runs for path in sorted(run.problems)]
    for _, same in itertools.groupby(heapq.merge(*files, key=key), key=key):
        yield next(same)


def _sorted_problems(path: str, filesystem: pafs.FileSystem) -> Iterator[PublishedProblem]:
    last = ""
    with pq.ParquetFile(path, filesystem=filesystem) as file:
        there = [name for name in PROBLEM_COLUMNS if name in file.schema_arrow.names]
        # Not iter_batches: that one holds on to every row group it has read.
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=there, use_threads=False)
            for batch in table.combine_chunks().to_batches():
                plain = (batch[name].to_pylist() if name in there else [None] * len(batch) for name in _LIGHT)
                found = zip(*plain, _images(batch), strict=True)
                for row, (key, source, row_id, overlaps, images) in enumerate(found):
                    if key < last:
                        raise UserError(f"{path}: rows aren't sorted by problem_id; load the problems again")
                    last = key
                    yield PublishedProblem(key, source, row_id, overlaps, images, batch, row)


def _images(batch: pa.RecordBatch) -> Iterator[list[tuple[str, int]]]:
    """The images of each problem: their hashes and sizes."""
    held = batch.column("images")
    images = held.flatten()
    found = zip(images.field("sha256").to_pylist(), pc.binary_length(images.field("data")).to_pylist(), strict=True)
    for count in pc.list_value_length(held).to_pylist():
        yield list(itertools.islice(found, count))


def _count(problem: PublishedProblem, rows: int, stats: Stats) -> None:
    """Counts the problem and what became of it; its solutions, of which each is a row, are counted where they are labelled."""
    tally = stats.sources[problem.source]
    for entry in problem.entries:
        tally["tokens"] += entry.num_tokens
        if entry.error or not entry.solutions:
            reason, _, detail = (entry.error or "no_solutions").partition(": ")
            stats.failed.append(Rejected(problem.source, problem.row_id, reason, detail))
            tally[f"quarantined.{reason}"] += 1
    tally["problems"] += bool(rows)
    if rows and problem.contamination is not None:
        tally["screened"] += 1
        tally["contaminated"] += bool(problem.contamination)
        for benchmark in problem.contamination:
            tally[f"overlaps.{benchmark}"] += 1
    tally["pending"] += not problem.entries
