"""Judges what a ledger holds once more: the solution's own verdict and those of its draws."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable

from pipeline.records import FinishReason, Solution, Step, Verdict
from stages.split import boundaries

Rejudge = Callable[[Verdict, str, FinishReason], Awaitable[Verdict]]
"""`(stored verdict, whole response, finish reason)` → the verdict that takes its place."""


async def judge_again(solution: Solution, rejudge: Rejudge) -> Solution:
    """The solution with the verdicts that `rejudge` gives; a draw is judged with the prefix that it continues."""

    async def step(item: Step, end: int) -> Step:
        prefix = solution.text[:end]
        new = await asyncio.gather(
            *(rejudge(draw.verdict, prefix + draw.text, draw.finish_reason) for draw in item.draws)
        )
        draws = (dataclasses.replace(draw, verdict=found) for draw, found in zip(item.draws, new, strict=True))
        return dataclasses.replace(item, draws=tuple(draws))

    ends = boundaries(solution.text, [item.text for item in solution.steps])
    own = await rejudge(solution.verdict, solution.text, solution.finish_reason)
    steps = await asyncio.gather(*map(step, solution.steps, ends))
    return dataclasses.replace(solution, verdict=own, steps=tuple(steps))
