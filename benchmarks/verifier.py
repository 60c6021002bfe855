"""How fast verdicts come, beside plain math-verify on the same responses, in CPU time of one core.

    python -m benchmarks verifier run=runs/demo count=100000 plain=2000

With `run`, the draws of a run's ledger are judged, in its order; else a made-up mix like the demo's: 16
continuations a prefix whose wrong answers pile up on a few values. math-verify alone would take hours for all of them
on a core: it judges a random sample, and its rate is that of the sample.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence

import psutil
import pyarrow.parquet as pq

from benchmarks.shape import Benchmark, Figure
from pipeline.records import solution_from_row
from pipeline.settings import Strict
from pipeline.store import Store
from stages.split import boundaries
from stages.verify.pool import VerifierPool

Triple = tuple[str, str, Sequence[str]]
"""Gold, full response, modes."""
MODES: tuple[str, ...] = ("choice", "number", "math", "text")
IN_FLIGHT = 512
"""Responses that are verified at once."""


class Settings(Strict):
    """What is measured."""

    run: str | None = None
    """A run directory whose draws are judged; null for a made-up mix like the demo's."""
    count: int = 100_000
    """Verdicts."""
    plain: int = 2_000
    """Verdicts of these by math-verify alone."""


def measure(settings: Settings) -> dict[str, float]:
    triples = from_run(settings.run, settings.count) if settings.run else made_up(settings.count)
    sample = random.Random(0).sample(triples, min(settings.plain, len(triples)))
    return {"ours_per_s": _ours(triples), "plain_per_s": _plain(sample), "judged": len(triples), "sample": len(sample)}


def from_run(uri: str, count: int) -> list[Triple]:
    """The first `count` draws of a run's ledger as whole responses, block by block, as a run judges them."""
    store = Store(uri)
    columns = ["problem_id", "answer", "verify"]
    problems = {
        row["problem_id"]: (row["answer"], tuple(row["verify"]))
        for path in store.problem_files()
        for row in pq.read_table(path, columns=columns, filesystem=store.filesystem).to_pylist()
    }
    triples: list[Triple] = []
    for path in store.ledger_files():
        for row in pq.read_table(path, filesystem=store.filesystem).to_pylist():
            gold, modes = problems[row["problem_id"]]
            for solution in map(solution_from_row, row["solutions"]):
                ends = boundaries([step.text for step in solution.steps])
                for step, end in zip(solution.steps, ends, strict=True):
                    triples += [(gold, solution.text[:end] + draw.text, modes) for draw in step.draws]
        if len(triples) >= count:
            break
    return triples[:count]


def _ours(triples: Sequence[Triple]) -> float:
    """Verdicts per CPU second of a pool with one worker."""

    async def judge_all(pool: VerifierPool) -> None:
        for start in range(0, len(triples), IN_FLIGHT):
            await asyncio.gather(*(pool.verify(*triple) for triple in triples[start : start + IN_FLIGHT]))

    with VerifierPool(workers=1, time_limit_s=5.0) as pool:
        before = _cpu_seconds()
        asyncio.run(judge_all(pool))
        return len(triples) / (_cpu_seconds() - before)


def _cpu_seconds() -> float:
    """Of this process and its workers."""
    times = [process.cpu_times() for process in psutil.Process().children(recursive=True)]
    return time.process_time() + sum(spent.user + spent.system for spent in times)


def _plain(triples: Sequence[Triple]) -> float:
    from math_verify import parse, verify

    verify(parse("$x+1$"), parse("so $1+x$"))
    before = time.process_time()
    for gold, response, _ in triples:
        verify(parse(f"${gold}$"), parse(response))
    return len(triples) / (time.process_time() - before)


def made_up(count: int, seed: int = 0) -> list[Triple]:
    """A mix of the demo's answer kinds; three draws in five are right, and wrong ones have four values a problem."""
    rng = random.Random(seed)
    triples: list[Triple] = []
    while len(triples) < count:
        gold, *wrong = (_answer(kind, rng) for kind in [rng.randrange(7)] * 5)
        for _ in range(16 * 5):
            lines = [
                f"{rng.randint(2, 9)} × {rng.randint(2, 9)} = {rng.randint(4, 81)}." for _ in range(rng.randint(2, 6))
            ]
            said = gold if rng.random() < 0.6 else rng.choice(wrong)
            triples.append((gold, "\n\n".join([*lines, f"Final answer: {said}"]), MODES))
    return triples[:count]


def _answer(kind: int, rng: random.Random) -> str:
    number = rng.randint(2, 99)
    return (
        str(number),
        f"{number}.5",
        f"\\frac{{{number}}}{{{rng.randint(2, 99)}}}",
        f"{number}\\pi",
        f"{number} cm^2",
        f"{rng.choice('EFKOQ')}{number}",
        rng.choice("ABCD"),
    )[kind]


BENCHMARK = Benchmark(
    on="{judged:,.0f} draws (run: {run}), math-verify on a random {sample:,.0f} of them; CPU time of one core",
    figures=(Figure("verdicts against plain math-verify", "ours_per_s", "plain_per_s", "verdicts/CPU s", at_least=10),),
    settings=Settings,
    measure=measure,
)
