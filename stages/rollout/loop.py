"""Drives a strategy against the engine: no barrier between steps, solutions or problems."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Sequence

from pipeline.config import RolloutConfig, SamplingConfig
from pipeline.engine import Completion, Engine, Prompt
from pipeline.errors import RowError
from pipeline.records import Draw, FinishReason, Solution, Step, StepOrigin, Verdict
from stages.rollout.closing import Closing
from stages.rollout.closing import draw as draw_closed
from stages.rollout.strategies import STRATEGIES, Ask, Progress, View, open_steps, origins

Verify = Callable[[str, FinishReason], Awaitable[Verdict]]
"""Begins to judge a whole response of this problem, given how it ended; several are begun before one is awaited."""


async def roll_out(
    solution: Solution,
    prompt: Prompt,
    prefixes: Sequence[tuple[str, tuple[int, ...]]],
    seeds: Sequence[int],
    engine: Engine,
    verify: Verify,
    sampling: SamplingConfig,
    config: RolloutConfig,
    closing: Closing | None = None,
) -> Solution:
    """Draws continuations until the strategy is content.

    Args:
        solution: its steps may already hold draws. What the strategy asks for is taken from them first, and what it
            doesn't ask for is dropped: the outcome is that of a strategy which drew everything itself. Kept, such
            draws would be measurements whose number follows from another strategy's stops.
        prompt: the chat prompt that the solution was sampled from.
        prefixes: for every step, the response up to the end of its separator: text and token ids.
        closing: what ends thinking that is too long, if anything does.
        seeds: for every step the seed of its draw 0; draw j has `seed + j`, in whatever rounds it was drawn.

    Raises:
        RowError: draws that are already there have other seeds, or the engine refuses.
        EngineDead: the engine is gone.
    """
    context = [step.origin == "context" for step in solution.steps]
    opened = open_steps(context, config)
    held = [_held(step, seed) for step, seed in zip(solution.steps, seeds, strict=True)]
    draws: list[list[Draw]] = [[] for _ in held]
    correct = solution.verdict.status == "correct"
    pending = [0] * len(draws)
    running: set[asyncio.Task[tuple[int, list[Draw]]]] = set()

    def progress(step: int) -> Progress:
        hits = sum(draw.verdict.status == "correct" for draw in draws[step])
        return Progress(len(draws[step]), hits, pending[step])

    async def draw(ask: Ask, first: int) -> tuple[int, list[Draw]]:
        there = held[ask.step][first : first + ask.n]
        lacking = ask.n - len(there)
        if not lacking:
            return ask.step, there
        text, ids = prefixes[ask.step]
        room = max(1, sampling.max_tokens - len(ids))
        at = dataclasses.replace(prompt, token_ids=prompt.token_ids + ids, ahead=False)
        seed = seeds[ask.step] + first + len(there)
        completions = await draw_closed(engine, at, (text, ids), sampling, lacking, seed, room, closing)
        verdicts = [verify(text + each.text, each.finish_reason) for each in completions]
        drawn = [_draw(each, await verdict) for each, verdict in zip(completions, verdicts, strict=True)]
        return ask.step, there + drawn

    try:
        while True:
            view = View(solution.solution_id, correct, list(map(progress, opened)))
            for asked in STRATEGIES[config.strategy].asks(view, config):
                ask = Ask(opened[asked.step], asked.n)
                running.add(asyncio.create_task(draw(ask, len(draws[ask.step]) + pending[ask.step])))
                pending[ask.step] += ask.n
            if not running:
                break
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                step, drawn = task.result()
                draws[step] += drawn
                pending[step] -= len(drawn)
    finally:
        for task in running:
            task.cancel()
    found = origins(list(map(progress, range(len(draws)))), correct, config, context)
    return dataclasses.replace(solution, steps=tuple(map(_with_draws, solution.steps, draws, found)))


def _held(step: Step, seed: int) -> list[Draw]:
    """The draws 0, 1, … that a step already has."""
    held = list(step.draws)
    if [draw.seed - seed for draw in held] != list(range(len(held))):
        raise RowError("draws_of_other_seeds", "the ledger's draws don't follow from this run's seed")
    return held


def _with_draws(step: Step, draws: list[Draw], origin: StepOrigin) -> Step:
    # Rounds may end out of order; a seed is where a draw belongs.
    return dataclasses.replace(step, draws=tuple(sorted(draws, key=lambda draw: draw.seed)), origin=origin)


def _draw(completion: Completion, verdict: Verdict) -> Draw:
    return Draw(completion.token_ids, completion.text, completion.finish_reason, completion.seed, verdict)
