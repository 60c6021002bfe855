"""`visualprm bon sample`: a dataset run without continuations, and the pool that its ledger amounts to.

The run brings resume, retries, the quarantine and token-exact steps with it; freezing needs no engine.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import asdict
from functools import lru_cache
from operator import itemgetter
from typing import Any

import pyarrow.parquet as pq

from pipeline.config import InputConfig, RunConfig
from pipeline.engine.policy import check_start, model_fingerprint, policy_name
from pipeline.errors import UserError
from pipeline.markdown import counted
from pipeline.records import problem_from_row
from pipeline.store import Store, beside
from pipeline.terminal.quiet import quiet
from pipeline.terminal.speak import say, tell
from stages.annotate.complete import complete_ledger
from stages.annotate.damage import check_run
from stages.annotate.engines import noted_split
from stages.annotate.settings_lock import read_templates, with_number_type
from stages.best_of_n.candidates import MAX_CANDIDATES, Solved, frozen, grouped
from stages.best_of_n.pool import (
    PROBLEMS_AT_ONCE,
    Pool,
    PoolCandidate,
    batched,
    cut_by,
    read_rows,
    refuse_other,
    summary,
    write_pool,
)
from stages.publish.held import held, verifiers
from stages.split import check_kind
from stages.verify import VerifierPool
from stages.verify.of_run import judge
from stages.verify.version import verifier_version

Judged = Callable[[Mapping[str, Any], Mapping[str, Any]], Awaitable[list[dict[str, Any]]]]
"""The problem's row and its ledger row → its solutions, with verdicts that can stand side by side."""


def pool_config(config: RunConfig, n: int, greedy_first: bool) -> RunConfig:
    """The run that samples `n` solutions of every problem of a dataset's configuration, and nothing more.

    Raises:
        UserError: `n` is out of range, or the solutions are given.
    """
    if config.input != InputConfig():
        raise UserError("input: a pool draws its own solutions: remove input.ledger and input.responses")
    if not 1 <= n <= MAX_CANDIDATES:
        raise UserError(f"--n {n}: a pool holds 1 to {MAX_CANDIDATES} candidates per problem")
    kind = f"bon{n}-greedy" if greedy_first else f"bon{n}"
    return config.model_copy(
        update={
            "name": f"{config.name}-{kind}",
            "run_dir": beside(config.run_dir, f"-{kind}"),
            "output_dir": beside(config.output_dir, f"-{kind}"),
            "sampling": config.sampling.model_copy(update={"num_solutions": n, "greedy_first": greedy_first}),
            "rollout": config.rollout.model_copy(update={"strategy": "fixed", "num_draws": 0}),
        }
    )


def sample_pool(config: RunConfig, out: str | None = None) -> None:
    """Samples what is missing and freezes the pool in `out` (`config.output_dir` by default).

    Raises:
        UserError: settings, files or the disk don't allow it, or another pool is there.
    """
    folder = out or config.output_dir
    templates = read_templates(config)
    check_kind(config.split.kind)
    check_start(config.engine, config.ray.address, continues=False)
    store = Store(config.run_dir)
    config = with_number_type(config, store)
    model = model_fingerprint(config.engine)
    if Store(folder).exists("pool.json"):
        refuse_other(Pool(folder), {"run": config.name})
    store.make()
    with store.lock(), quiet(store.address("logs")):
        complete_ledger(store, config, templates, model)
        made = {"run": config.name, "made_from": _digest_of(store)}
        if Store(folder).exists("pool.json"):
            pool = Pool(folder)
            refuse_other(pool, made)
            tell(f"nothing to do: {summary(pool)}")
            return
        _freeze(store, config, folder, made)
    tell(summary(Pool(folder)))


def _digest_of(store: Store) -> str:
    """A hash over the settings and problems of a run: another one gives another pool."""
    parts = [store.read_text("ledger.json"), *sorted(store.problem_ids())]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _freeze(store: Store, config: RunConfig, folder: str, made: Mapping[str, Any]) -> None:
    check_run(store)
    failed: Counter[str] = Counter()
    rejected = store.read_json("problems.json")["rejected"]
    about = {
        **made,
        "num_candidates": config.sampling.num_solutions,
        "sampling": config.sampling.model_dump(mode="json"),
        **cut_by(noted_split(store, config)),
        "policy_model": policy_name(config.engine),
        "rejected": rejected,
        "failed": failed,
    }
    with VerifierPool(config.verify.workers, config.verify.time_limit_s) as verifier:
        write_pool(folder, _items(store, _judged(store, config, verifier), verifier, failed), about)
    for reason, count in sorted(failed.items()):
        say(f"left out {counted(count, 'problem')}: {reason}")


def _judged(store: Store, config: RunConfig, pool: VerifierPool) -> Judged:
    """Gives a ledger row's solutions: where several verifiers judged the ledger, all by today's."""
    today, mixed = verifier_version(), len(verifiers([held(store)])) > 1
    prompts = store.read_json("ledger.json")

    async def judged(problem: Mapping[str, Any], row: Mapping[str, Any]) -> list[dict[str, Any]]:
        solutions: list[dict[str, Any]] = row["solutions"]
        if not mixed or row["verifier"] == today:
            return solutions
        asked = problem_from_row(problem)
        prompt = prompts[f"prompt text of {asked.prompt}"]
        begun = (judge(asked, one["text"], one["finish_reason"], prompt, pool, config) for one in solutions)
        verdicts = await asyncio.gather(*begun)
        return [{**one, "verdict": asdict(found)} for one, found in zip(solutions, verdicts, strict=True)]

    return judged


def _items(
    store: Store, judged: Judged, verifier: VerifierPool, failed: Counter[str]
) -> Iterator[tuple[dict[str, Any], list[PoolCandidate]]]:
    """Every problem in order of its id, with its candidates; failed ones are counted instead."""
    ledger = _Ledger(store)
    loop = asyncio.new_event_loop()
    files = (read_rows(path, store) for path in store.problem_files())
    for chunk in batched(heapq.merge(*files, key=itemgetter("problem_id")), PROBLEMS_AT_ONCE):
        found = [(problem, ledger[problem["problem_id"]]) for problem in chunk]
        failed.update(row["error"].partition(": ")[0] for _, row in found if row["error"])
        kept = [(problem, row) for problem, row in found if not row["error"]]
        yield from loop.run_until_complete(_with_candidates(kept, judged, verifier))
    loop.close()


async def _with_candidates(
    found: list[tuple[dict[str, Any], dict[str, Any]]], judged: Judged, verifier: VerifierPool
) -> list[tuple[dict[str, Any], list[PoolCandidate]]]:
    solutions = await asyncio.gather(*(judged(problem, row) for problem, row in found))
    own = await asyncio.gather(
        *(
            grouped(problem, list(map(_solved, each)), verifier)
            for (problem, _), each in zip(found, solutions, strict=True)
        )
    )
    return [
        ({**frozen(problem), "policy_prompt": row["prompt"]}, candidates)
        for (problem, row), candidates in zip(found, own, strict=True)
    ]


def _solved(solution: Mapping[str, Any]) -> Solved:
    verdict = solution["verdict"]
    return Solved(
        solution["solution_id"],
        solution["text"],
        tuple(step["text"] for step in solution["steps"]),
        verdict["answer"],
        verdict["status"],
        solution["finish_reason"],
        solution["seed"],
        len(solution["token_ids"]),
    )


class _Ledger:
    """The committed ledger by problem. Blocks hold neighbours, so a few files at a time are enough."""

    def __init__(self, store: Store) -> None:
        self._where: dict[str, tuple[str, int]] = {}
        for path in store.ledger_files():
            for row, problem_id in enumerate(store.column([path], "problem_id").to_pylist()):
                # A block that was committed twice around a crash holds the same rows again: the first counts.
                self._where.setdefault(problem_id, (path, row))
        self._read = lru_cache(maxsize=16)(lambda path: pq.read_table(path, filesystem=store.filesystem))

    def __getitem__(self, problem_id: str) -> dict[str, Any]:
        path, row = self._where[problem_id]
        found: dict[str, Any] = self._read(path).slice(row, 1).to_pylist()[0]
        return found
