"""Which verification modes can read a source's answers."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import Sequence

from pipeline.records import Problem
from stages.load.problems import gold_status
from stages.verify.pool import VerifierPool

USUAL: tuple[str, ...] = ("choice", "number", "math", "text")
"""The modes that are written if they fit; the others are for benchmarks whose own metric is looser or other."""
TRIED: tuple[str, ...] = (*USUAL, "list", "date")
MOST = 60
"""Problems whose answers are tried."""


def fitting_modes(problems: Sequence[Problem], whole: bool) -> tuple[list[str], str]:
    """The usual modes that accept some of the golds, and for a person the share of the golds that each accepts.

    Where they are not all of the source, a mode that reads none of them may read others, and is kept.
    """
    sample = problems[:: max(len(problems) // MOST, 1)]
    fits: Counter[str] = Counter()
    with VerifierPool(1, 5.0) as pool, asyncio.Runner() as runner:
        for problem in sample:
            for mode in TRIED:
                alone = dataclasses.replace(problem, verify=(mode,))
                fits[mode] += runner.run(gold_status(alone, pool)) == "correct"
    modes = [mode for mode in USUAL if fits[mode] or not whole]
    shares = ", ".join(f"{mode} {fits[mode] / len(sample):.0%}" for mode in TRIED)
    return modes or list(USUAL), f"of {len(sample):,} answers, each reads: {shares}"
