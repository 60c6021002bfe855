"""Judges the draws of a run anew, from the texts in its ledger, which stays as it is.

The new verdicts go into a copy of the ledger without token ids and draw texts, all that publishing reads, in
`reverified/`. One ledger file (a few problems) is in memory at a time, and of the problems everything but their
images.
"""

from __future__ import annotations

import asyncio
import dataclasses
import posixpath
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import atomic, records, schemas
from pipeline.config import RunConfig
from pipeline.errors import UserError
from pipeline.records import FinishReason, Problem, Solution, Verdict
from pipeline.store import Store, one_line_io_errors
from stages import label
from stages.label import UNJUDGED
from stages.publish.flips import Flips
from stages.publish.held import Held
from stages.verify.again import judge_again
from stages.verify.of_run import check_reference, judge
from stages.verify.pool import VerifierPool
from stages.verify.version import verifier_version

FOLDER = "reverified"
REPORT = f"{FOLDER}/flips.json"

IsDue = Callable[[Verdict], bool]
"""Says of a stored verdict whether it is to be given again."""
Which = Callable[[str | None, Sequence[Solution]], IsDue]
"""The rule for a problem's verdicts, from the verifier that gave them and its solutions."""


def rejudge_all(store: Store, config: RunConfig, stored: RunConfig) -> tuple[list[str], Flips]:
    """Every verdict of the ledger, by today's verifier and `config`'s modes; `stored` are the settings of the run.

    Returns:
        The files to publish from, and what changed; the latter also lies in `reverified/flips.json`.

    Raises:
        UserError: a problem's source can't be told, and with it how it is judged.
    """
    check_reference(config)
    problems = _with_modes(_problems(store), config, stored)
    store.clear(FOLDER)
    flips = Flips()
    files = store.ledger_files()
    paths = _rejudge(store, config, problems, files, lambda *_: lambda _: True, flips)
    store.write_json(REPORT, flips.document())
    return paths, flips


def rejudge_needed(
    store: Store, config: RunConfig, ledger: Mapping[str, Held], mixed: bool
) -> tuple[list[str], Flips | None]:
    """The files of the `ledger`; those whose verdicts can't stand are replaced by copies with new ones.

    A verdict `timeout` or `error` can't: a busy machine can make a verdict late, and one short of memory can kill a
    verifier; the labels should not depend on either. Nor can another verifier's verdict where the ledgers that are
    published together hold verdicts of several (`mixed`), or where a late one stands beside it in the same problem, which
    two verifiers would then have judged: today's judges it again.

    Returns:
        The files to publish from, and what another verifier's verdicts became; null where none was judged for that reason.
    """
    store.clear(FOLDER)
    files, today = list(ledger), verifier_version()
    flips = Flips()

    def which(verifier: str | None, solutions: Sequence[Solution]) -> IsDue:
        late = any(verdict.status in UNJUDGED for solution in solutions for verdict in _verdicts(solution))
        every = verifier != today and (mixed or late)
        return lambda verdict: every or verdict.status in UNJUDGED

    old = {path for path in files if mixed and ledger[path].verifiers != {today}}
    late = [path for path in files if path in old or ledger[path].unsettled]
    if not late:
        return files, None
    again = _rejudge(store, config, _problems(store), late, which, flips)
    replaced = dict(zip(late, again, strict=True))
    if old:
        store.write_json(REPORT, flips.document())
    return [replaced.get(path, path) for path in files], flips if old else None


def _problems(store: Store) -> dict[str, Problem]:
    """The run's problems without their images."""
    columns = ["problem_id", "source", "row_id", "question", "answer", "options", "verify", "max_tiles", "prompt"]
    problems = {}
    for path in store.problem_files():
        with pq.ParquetFile(path, filesystem=store.filesystem) as file:
            # Only the runs whose sources set it have such a column.
            later = {schemas.REFERENCES.name, schemas.MAX_PIXELS.name}
            there = [*columns, *sorted(later & set(file.schema_arrow.names))]
            rows = file.read(columns=there).to_pylist()
        for row in rows:
            problem = records.problem_from_row({**row, "images": (), "extra": "{}"})
            problems[problem.problem_id] = problem
    return problems


def _with_modes(problems: Mapping[str, Problem], config: RunConfig, stored: RunConfig) -> dict[str, Problem]:
    """Problems that have the modes of their source get the modes that `config` gives it now; a row's own modes stay.

    Raises:
        UserError: a problem can be of several sources, which don't have the same modes now.
    """
    pairs = list(zip(stored.sources, config.sources, strict=True))
    # A source with parts names its problems after these.
    of_parts = [pair for pair in pairs if pair[0].fields.source is not None]

    def update(problem: Problem) -> Problem:
        named = [pair for pair in pairs if pair[0].name == problem.source] or of_parts
        found = {new.verify: new.name for old, new in named if old.verify == problem.verify}
        if len(found) > 1:
            raise UserError(
                f"sources.N.verify: a problem of {problem.source!r} can be of {' or of '.join(found.values())}, because "
                "rows have the names of their parts (fields.source): give these sources the same modes"
            )
        return dataclasses.replace(problem, verify=next(iter(found), problem.verify))

    return {key: update(problem) for key, problem in problems.items()}


def _rejudge(
    store: Store, config: RunConfig, problems: Mapping[str, Problem], files: Iterable[str], which: Which, flips: Flips
) -> list[str]:
    """Judges what `which` says in all `files`, counts it in `flips`, and gives the copies' paths, in order."""
    names = {problem.prompt for problem in problems.values()}
    # Only the reference's judgement depends on the prompt.
    prompts = {name: _prompt_text(store, name) if config.verify.compat else "" for name in names}
    with one_line_io_errors(store.address(FOLDER)):
        store.filesystem.create_dir(store.path(FOLDER), recursive=True)
    paths = []
    with VerifierPool(config.verify.workers, config.verify.time_limit_s) as pool, asyncio.Runner() as runner:
        for path in files:
            rows = pq.read_table(path, schema=schemas.LEDGER_SCHEMA, filesystem=store.filesystem).to_pylist()
            asked = [problems[row["problem_id"]] for row in rows]
            given = [[records.solution_from_row(solution) for solution in row["solutions"]] for row in rows]
            due = [which(row["verifier"], old) for row, old in zip(rows, given, strict=True)]
            # All problems of a file together: of one alone few answers need the verifier's processes.
            judged = runner.run(
                _judge_problems(
                    _judge_problem(problem, old, prompts[problem.prompt], is_due, pool, config)
                    for problem, old, is_due in zip(asked, given, due, strict=True)
                )
            )
            for row, problem, old, new in zip(rows, asked, given, judged, strict=True):
                kept = [
                    label.without_cut_short(before, after, config.rollout.num_draws)
                    for before, after in zip(old, new, strict=True)
                ]
                for before, after, left in zip(old, new, kept, strict=True):
                    flips.add(problem.source, before, after, _labels(before, config), _labels(left, config))
                    flips.cut_short += sum(
                        len(a.draws) > len(b.draws) for a, b in zip(after.steps, left.steps, strict=True)
                    )
                row["solutions"] = [records.solution_row(_slim(solution)) for solution in kept]
            paths.append(store.path(FOLDER, posixpath.basename(path)))
            _write(rows, paths[-1], store)
    atomic.sync(store.path(FOLDER), store.filesystem)
    return paths


async def _judge_problems(problems: Iterable[Awaitable[list[Solution]]]) -> list[list[Solution]]:
    return await asyncio.gather(*problems)


async def _judge_problem(
    problem: Problem,
    solutions: Sequence[Solution],
    prompt: str,
    is_due: IsDue,
    pool: VerifierPool,
    config: RunConfig,
) -> list[Solution]:
    """The solutions with new verdicts; equal responses are judged once."""
    known: dict[tuple[str, FinishReason], Awaitable[Verdict]] = {}

    async def verdict(old: Verdict, response: str, finish_reason: FinishReason) -> Verdict:
        if not is_due(old):
            return old
        if (response, finish_reason) not in known:
            known[response, finish_reason] = judge(problem, response, finish_reason, prompt, pool, config)
        return await known[response, finish_reason]

    return list(await asyncio.gather(*(judge_again(solution, verdict) for solution in solutions)))


def _verdicts(solution: Solution) -> Iterator[Verdict]:
    yield solution.verdict
    yield from (draw.verdict for step in solution.steps for draw in step.draws)


def _labels(solution: Solution, config: RunConfig) -> list[str | None]:
    return [found for _, found in label.labelled_steps(solution, label.of_draws(config.label))]


def _slim(solution: Solution) -> Solution:
    """What publishing reads: no token ids, and of the draws only the verdicts."""
    steps = tuple(
        dataclasses.replace(step, draws=tuple(dataclasses.replace(draw, token_ids=(), text="") for draw in step.draws))
        for step in solution.steps
    )
    return dataclasses.replace(solution, token_ids=(), steps=steps)


def _write(rows: list[dict[str, Any]], path: str, store: Store) -> None:
    table: pa.Table = schemas.table(rows, schemas.LEDGER_SCHEMA)
    with one_line_io_errors(path), atomic.opened(path, store.filesystem) as out:
        pq.write_table(table, out, compression="zstd")


def _prompt_text(store: Store, name: str) -> str:
    """The prompt as the run used it, whatever became of its file."""
    return str(store.read_json("ledger.json")[f"prompt text of {name}"])
