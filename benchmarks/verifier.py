"""How fast verdicts come, beside plain math-verify on the same responses, in CPU time of one core.

    python -m benchmarks.verifier [--run runs/demo] [--count 100000] [--plain 2000]

With `--run`, the draws of a run's ledger are judged, in its order; else a made-up mix like the demo's: 16
continuations a prefix whose wrong answers pile up on a few values. math-verify alone would take hours for all of them
on a core: it judges a random sample, and its rate is that of the sample.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import psutil
import pyarrow.parquet as pq

from pipeline.config import Mode
from pipeline.records import solution_from_row
from pipeline.store import Store
from stages.split import boundaries
from stages.verify.pool import VerifierPool

Triple = tuple[str, str, Sequence[Mode]]
"""Gold, full response, modes."""
MODES: tuple[Mode, ...] = ("choice", "number", "math", "text")
IN_FLIGHT = 512
"""Responses that are verified at once."""


@dataclass(frozen=True)
class Speed:
    """Verdicts a CPU second, ours and plain math-verify's."""

    ours: float
    plain: float
    statuses: Counter[str]

    @property
    def ratio(self) -> float:
        return self.ours / self.plain


def compare(triples: Sequence[Triple], plain: int = 2_000) -> Speed:
    """Judges all triples with a pool of one worker, and a random sample of `plain` with math-verify alone."""
    ours, statuses = _ours(triples)
    sample = random.Random(0).sample(triples, min(plain, len(triples)))
    return Speed(ours, _plain(sample), statuses)


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


def _ours(triples: Sequence[Triple]) -> tuple[float, Counter[str]]:
    statuses: Counter[str] = Counter()

    async def judge_all(pool: VerifierPool) -> None:
        for start in range(0, len(triples), IN_FLIGHT):
            verdicts = await asyncio.gather(*(pool.verify(*triple) for triple in triples[start : start + IN_FLIGHT]))
            statuses.update(verdict.status for verdict in verdicts)

    with VerifierPool(workers=1, time_limit_s=5.0) as pool:
        before = _cpu_seconds()
        asyncio.run(judge_all(pool))
        seconds = _cpu_seconds() - before
    return len(triples) / seconds, statuses


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000, help="verdicts")
    parser.add_argument("--plain", type=int, default=2_000, help="of these with math-verify alone")
    parser.add_argument("--run", help="a run directory whose draws are judged")
    options = parser.parse_args()
    triples = from_run(options.run, options.count) if options.run else made_up(options.count)
    speed = compare(triples, options.plain)
    print(f"{len(triples)} verdicts: {dict(speed.statuses)}")
    print(f"ours         {speed.ours:8.0f} verdicts per CPU second")
    print(f"math-verify  {speed.plain:8.0f} verdicts per CPU second")
    print(f"ratio        {speed.ratio:8.1f}")


if __name__ == "__main__":
    main()
