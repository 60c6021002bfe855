"""How fast verdicts come, beside plain math-verify on the same responses, in CPU time of one core.

    python -m benchmarks.verifier [--count 100000] [--plain 2000]

`compare` takes any list of (gold, response, modes), as from a ledger; alone, this file makes up a mix like the
demo's: 16 continuations a prefix whose wrong answers pile up on a few values.
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

from pipeline.config import Mode
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
    """Judges all triples with a pool of one worker, and `plain` evenly spaced ones with math-verify alone."""
    ours, statuses = _ours(triples)
    step = max(1, len(triples) // plain)
    return Speed(ours, _plain(triples[::step]), statuses)


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
    options = parser.parse_args()
    speed = compare(made_up(options.count), options.plain)
    print(f"verdicts: {dict(speed.statuses)}")
    print(f"ours         {speed.ours:8.0f} verdicts per CPU second")
    print(f"math-verify  {speed.plain:8.0f} verdicts per CPU second")
    print(f"ratio        {speed.ratio:8.1f}")


if __name__ == "__main__":
    main()
