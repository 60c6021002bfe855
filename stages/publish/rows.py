"""Publish: problems and their ledger become Parquet shards, one row a solution, that `datasets` loads.

Both sides are joined by `problem_id`. Problem files are sorted by it (it is a SHA-256 hash, so this is
also a shuffle) and merged row by row; of the ledger only what is published and the draws' statuses are
read, about 10 kB a problem. Images never gather: one row group of each problem file and one to be written are
in memory. The same ledger gives the same bytes, whatever the order of files and rows.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import operator
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from pipeline import atomic
from pipeline.config import PublishConfig
from pipeline.errors import UserError
from pipeline.records import VERDICT_STATUSES, Draw, Rejected, Solution, Step, Verdict, VerdictStatus, asked
from pipeline.store import one_line_io_errors
from stages.publish.shards import LAST, ShardWriter, check_output, write_documents
from stages.publish.stats import Stats, count

Labeller = Callable[[Solution], Sequence[tuple[Step, str | None]]]
"""Gives each step of a solution its counts, and its hard label: `+`, `-` or null."""

_SOLUTION = "solutions.list.element."
_STEP = _SOLUTION + "steps.list.element."
_LEDGER_COLUMNS = [
    *("problem_id", "policy_model", "policy_key", "prompt", "prompt_sha", "strategy", "error", "num_tokens"),
    *(_SOLUTION + leaf for leaf in ("solution_id", "text", "finish_reason", "seed", "verdict")),
    *(_STEP + leaf for leaf in ("text", "start", "end", "token_exact", "origin")),
    _STEP + "draws.list.element.verdict.status",
]
_PROBLEM_COLUMNS = ["problem_id", "source", "row_id", "question", "answer", "images", "options", "contamination"]
# Of a draw only the status was read, so all draws of one status are the same object.
_DRAWS = {status: Draw((), "", "stop", 0, Verdict(status)) for status in VERDICT_STATUSES}
_CORRECT: dict[VerdictStatus, bool | None] = {
    "correct": True,
    "incorrect": False,
    "no_answer": False,
    "truncated": False,
    "timeout": None,
    "error": None,
}


@dataclass(frozen=True, slots=True)
class Run:
    """What one run leaves to publish; several can go into one dataset.

    `problems` and `ledger` are paths of Parquet files on `filesystem`: problems each sorted by
    `problem_id`, the ledger's committed files in any order. `num_draws` is the configured number of
    draws a prefix. `rejected` are the rows that never became problems.
    """

    problems: Sequence[str]
    ledger: Sequence[str]
    num_draws: int
    filesystem: pafs.FileSystem
    rejected: Sequence[Rejected] = ()


def publish(
    runs: Sequence[Run],
    out_dir: str,
    filesystem: pafs.FileSystem,
    config: PublishConfig,
    label: Labeller,
    describe: Callable[[Stats, str], Mapping[str, str]] = lambda stats, folder: {},
) -> Stats:
    """Writes the dataset of one or more runs to `out_dir`, in place of what was published there before.

    Rows are in order of `problem_id`, policy, solution. `describe` gets the statistics and the folder
    with the finished shards, and returns the texts of `DOCUMENTS`, which then lie beside them. On a local
    disk the folder appears as a whole; on an object store the last document appears after everything else.

    Raises:
        UserError: the folder can't be written, is full or holds other files; a ledger doesn't belong to
            the problems, or problems aren't sorted.
    """
    out_dir = atomic.place(out_dir, filesystem)
    check_output(out_dir, filesystem)
    stats = Stats()
    for (source, reason), number in _left_out(runs).items():
        stats.sources[source][f"quarantined.{reason}"] += number
    ledger = _read_ledgers(runs)
    with one_line_io_errors(out_dir), atomic.new_folder(out_dir, filesystem, LAST) as folder:
        with closing(ShardWriter(folder, filesystem, config)) as shards:
            for problem in _merged_problems(runs):
                shards.add(_problem_rows(problem, ledger.pop(problem["problem_id"], []), label, stats))
            stats.shards = shards.finish()
        if ledger:
            raise UserError(
                f"{len(ledger)} problems of the ledger are in no problem file, {min(ledger)} first: "
                "publish a run's ledger with the problems of the same run"
            )
        write_documents(folder, filesystem, describe(stats, folder), shards.sums)
    return stats


def _left_out(runs: Sequence[Run]) -> Counter[tuple[str, str]]:
    """Rejected rows by source and reason; runs that read the same sources rejected the same rows."""
    counts = (Counter((item.source, item.reason) for item in run.rejected) for run in runs)
    return functools.reduce(operator.or_, counts, Counter())


@dataclass(frozen=True, slots=True)
class _Entry:
    """A row of a ledger, kept as Arrow until its problem comes by."""

    table: pa.Table
    row: int
    num_draws: int

    def read(self) -> dict[str, Any]:
        row: dict[str, Any] = self.table.slice(self.row, 1).to_pylist()[0]
        return row


def _read_ledgers(runs: Sequence[Run]) -> dict[str, list[_Entry]]:
    """problem_id → its entries, one a policy, in order of the policy key.

    A block that was committed twice around a crash holds the same rows again: the first counts.
    """
    found: dict[str, dict[str, _Entry]] = {}
    for run in runs:
        for table in _ledger_tables(run):
            keys = zip(table["problem_id"].to_pylist(), table["policy_key"].to_pylist(), strict=True)
            for row, (problem_id, policy) in enumerate(keys):
                entries = found.setdefault(problem_id, {})
                entries.setdefault(policy, _Entry(table, row, run.num_draws))
    return {key: [entries[policy] for policy in sorted(entries)] for key, entries in found.items()}


def _ledger_tables(run: Run, files_at_once: int = 16) -> Iterator[pa.Table]:
    """The ledger's files, some joined into one table: many small tables cost more than what they hold."""

    def read(path: str) -> pa.Table:
        with pq.ParquetFile(path, filesystem=run.filesystem) as file:
            return file.read(columns=_LEDGER_COLUMNS, use_threads=False)

    paths = sorted(run.ledger)
    with ThreadPoolExecutor(files_at_once) as pool:
        for start in range(0, len(paths), files_at_once):
            yield pa.concat_tables(pool.map(read, paths[start : start + files_at_once])).combine_chunks()


def _merged_problems(runs: Sequence[Run]) -> Iterator[dict[str, Any]]:
    """All problems in order of `problem_id`, each once."""
    key = itemgetter("problem_id")
    files = [_sorted_problems(path, run.filesystem) for run in runs for path in sorted(run.problems)]
    for _, same in itertools.groupby(heapq.merge(*files, key=key), key=key):
        yield next(same)


def _sorted_problems(path: str, filesystem: pafs.FileSystem) -> Iterator[dict[str, Any]]:
    last = ""
    with pq.ParquetFile(path, filesystem=filesystem) as file:
        # Not iter_batches: that one holds on to every row group it has read.
        for group in range(file.num_row_groups):
            rows = file.read_row_group(group, columns=_PROBLEM_COLUMNS, use_threads=False)
            for batch in rows.to_batches(max_chunksize=1):
                problem: dict[str, Any] = batch.to_pylist()[0]
                if problem["problem_id"] < last:
                    raise UserError(f"{path}: rows aren't sorted by problem_id; load the problems again")
                last = problem["problem_id"]
                yield problem


def _problem_rows(
    problem: Mapping[str, Any], entries: Sequence[_Entry], label: Labeller, stats: Stats
) -> list[dict[str, Any]]:
    """The published rows of one problem, counted in `stats`."""
    tally = stats.sources[problem["source"]]
    rows: list[dict[str, Any]] = []
    for entry in entries:
        item = entry.read()
        tally["tokens"] += item["num_tokens"]
        if item["error"] or not item["solutions"]:
            reason, _, detail = (item["error"] or "no_solutions").partition(": ")
            stats.failed.append(Rejected(problem["source"], problem["row_id"], reason, detail))
            tally[f"quarantined.{reason}"] += 1
        for solution in map(_solution, item["solutions"]):
            steps = label(solution)
            count(tally, solution, steps)
            stats.policies[item["policy_model"], item["prompt_sha"], item["strategy"]] += 1
            rows.append(_row(problem, item, solution, steps, entry.num_draws))
    tally["problems"] += bool(rows)
    if rows and (found := problem.get("contamination")) is not None:
        tally["screened"] += 1
        tally["contaminated"] += bool(found)
        for benchmark in found:
            tally[f"overlaps.{benchmark}"] += 1
    tally["pending"] += not entries
    return rows


def _solution(row: Mapping[str, Any]) -> Solution:
    """A solution of which the token ids, and of whose draws all but the status, were left unread."""
    steps = tuple(
        Step(**{**step, "draws": tuple(_DRAWS[draw["verdict"]["status"]] for draw in step["draws"])})
        for step in row["steps"]
    )
    return Solution(**{**row, "token_ids": (), "verdict": Verdict(**row["verdict"]), "steps": steps})


def _row(
    problem: Mapping[str, Any],
    item: Mapping[str, Any],
    solution: Solution,
    steps: Sequence[tuple[Step, str | None]],
    num_draws: int,
) -> dict[str, Any]:
    return {
        "id": solution.solution_id,
        "source": problem["source"],
        "images": [{"bytes": image["data"], "path": image["sha256"]} for image in problem["images"]],
        "question": asked(problem["question"], problem["options"]),
        "prompt": item["prompt"],
        "answer": problem["answer"],
        "response": solution.text,
        "steps_with_score": [
            {
                "step": step.text,
                "score": step.score,
                "num_mc_correct": step.num_mc_correct,
                "num_mc_total": step.num_mc_total,
                "label": label,
                "origin": step.origin,
            }
            for step, label in steps
        ],
        "num_mc_sequences": num_draws,
        "response_answer": solution.verdict.answer,
        "response_correct": _CORRECT[solution.verdict.status],
        "policy_model": item["policy_model"],
        "prompt_sha": item["prompt_sha"],
        "contamination": problem.get("contamination"),
    }
