"""How fast verdicts come, beside plain math-verify on the same responses, in CPU time of one core.

    python -m benchmarks verifier run=runs/demo count=100000 plain=2000
    python -m benchmarks verifier files='responses/*.jsonl'

With `run`, the draws of a run's ledger are judged, in its order; with `files`, the rows of files as `visualprm verify`
takes them, which differ all, so that no cache helps; else a made-up mix like the demo's: 16
continuations a prefix whose wrong answers pile up on a few values. math-verify alone would take hours for all of them
on a core: it judges a random sample, and its rate is that of the sample.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from glob import glob
from itertools import islice
from pathlib import Path

import psutil
import pyarrow.parquet as pq

from benchmarks.shape import Benchmark, Figure
from pipeline.records import solution_from_row
from pipeline.settings import Strict
from pipeline.store import Store
from stages.split import boundaries
from stages.verify.pool import VerifierPool
from stages.verify.rows import options_of, read_rows

Asked = tuple[str, str, Sequence[str], Sequence[str], str]
"""Gold, full response, modes, options, question."""
MODES: tuple[str, ...] = ("choice", "number", "math", "text")
IN_FLIGHT = 512
"""Responses that are verified at once."""


class Settings(Strict):
    """What is measured."""

    run: str | None = None
    """A run directory whose draws are judged; null for a made-up mix like the demo's."""
    files: str | None = None
    """A pattern of files of responses; not beside `run`."""
    count: int = 100_000
    """Verdicts."""
    plain: int = 2_000
    """Verdicts of these by math-verify alone."""


def measure(settings: Settings) -> dict[str, float]:
    if settings.files:
        asked = from_files(settings.files, settings.count)
    else:
        asked = from_run(settings.run, settings.count) if settings.run else made_up(settings.count)
    sample = random.Random(0).sample(asked, min(settings.plain, len(asked)))
    return {"ours_per_s": _ours(asked), "plain_per_s": _plain(sample), "judged": len(asked), "sample": len(sample)}


def from_run(uri: str, count: int) -> list[Asked]:
    """The first `count` draws of a run's ledger as whole responses, block by block, as a run judges them."""
    store = Store(uri)
    columns = ["problem_id", "answer", "verify"]
    problems = {
        row["problem_id"]: (row["answer"], tuple(row["verify"]))
        for path in store.problem_files()
        for row in pq.read_table(path, columns=columns, filesystem=store.filesystem).to_pylist()
    }
    asked: list[Asked] = []
    for path in store.ledger_files():
        for row in pq.read_table(path, filesystem=store.filesystem).to_pylist():
            gold, modes = problems[row["problem_id"]]
            for solution in map(solution_from_row, row["solutions"]):
                ends = boundaries(solution.text, [step.text for step in solution.steps])
                for step, end in zip(solution.steps, ends, strict=True):
                    asked += [(gold, solution.text[:end] + draw.text, modes, (), "") for draw in step.draws]
        if len(asked) >= count:
            break
    return asked[:count]


def from_files(pattern: str, count: int) -> list[Asked]:
    """The first `count` rows of the files that a pattern names, by name."""
    rows = (row for path in sorted(glob(pattern)) for _, row in read_rows(Path(path)))
    return [
        (row["answer"], row["response"], row.get("verify") or MODES, options_of(row), row.get("question") or "")
        for row in islice(rows, count)
    ]


def _ours(asked: Sequence[Asked]) -> float:
    """Verdicts per CPU second of a pool with one worker."""

    async def judge_all(pool: VerifierPool) -> None:
        for start in range(0, len(asked), IN_FLIGHT):
            await asyncio.gather(*(pool.verify(*one) for one in asked[start : start + IN_FLIGHT]))

    with VerifierPool(workers=1, time_limit_s=5.0) as pool:
        before = _cpu_seconds()
        asyncio.run(judge_all(pool))
        return len(asked) / (_cpu_seconds() - before)


def _cpu_seconds() -> float:
    """Of this process and its workers."""
    times = [process.cpu_times() for process in psutil.Process().children(recursive=True)]
    return time.process_time() + sum(spent.user + spent.system for spent in times)


def _plain(asked: Sequence[Asked]) -> float:
    from math_verify import parse, verify

    verify(parse("$x+1$"), parse("so $1+x$"))
    before = time.process_time()
    for gold, response, *_ in asked:
        verify(parse(f"${gold}$"), parse(response))
    return len(asked) / (time.process_time() - before)


def made_up(count: int, seed: int = 0) -> list[Asked]:
    """A mix of the demo's answer kinds; three draws in five are right, and wrong ones have four values a problem."""
    rng = random.Random(seed)
    asked: list[Asked] = []
    while len(asked) < count:
        gold, *wrong = (_answer(kind, rng) for kind in [rng.randrange(7)] * 5)
        for _ in range(16 * 5):
            lines = [
                f"{rng.randint(2, 9)} × {rng.randint(2, 9)} = {rng.randint(4, 81)}." for _ in range(rng.randint(2, 6))
            ]
            said = gold if rng.random() < 0.6 else rng.choice(wrong)
            asked.append((gold, "\n\n".join([*lines, f"Final answer: {said}"]), MODES, (), ""))
    return asked[:count]


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
    on="{judged:,.0f} responses (run: {run}, files: {files}), math-verify on a random {sample:,.0f} of them; CPU time of one core",
    figures=(Figure("verdicts against plain math-verify", "ours_per_s", "plain_per_s", "verdicts/CPU s", at_least=10),),
    settings=Settings,
    measure=measure,
)
