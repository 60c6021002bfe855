"""The reference's schedule against ours, on the same engine and problems, for the same labels.

    python -m benchmarks lockstep problems=16

The reference code advances a batch of problems in lockstep: it draws the solutions in as many calls as there are
solutions a problem, one sample a call; then, step index by step index, one continuation of every response that has
such a step, again one sample a call. A call ends when its last sample does. Prefixes go in as text.

Ours is the annotator as the Ray actor runs it. All sides use one `VllmEngine`, whose caches are emptied before each,
and the same seeds, so that schedules are compared and nothing else; how many labels agree is counted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from benchmarks.shape import Benchmark, Figure
from pipeline.config import RunConfig, load_config
from pipeline.engine import Completion, Prompt
from pipeline.engine.policy import model_fingerprint, policy_key
from pipeline.engine.vllm import VllmEngine
from pipeline.records import SEPARATOR, FinishReason, Problem, Verdict
from pipeline.seeds import base_seed
from pipeline.settings import Strict
from stages.annotate.annotator import annotate
from stages.annotate.sample import Template, chat_prompt
from stages.annotate.settings_lock import read_templates
from stages.load.parse import load
from stages.split import split
from stages.verify.pool import VerifierPool

BATCH = 4
"""Problems that advance together in the reference's launch script."""
QUICK_ROUNDS = (1, 1, 2, 4, 8)
"""The rounds of `first_success` that draw the least."""

Labels = dict[tuple[str, int, int], bool]
"""(problem, solution, step) → some continuation reached the right answer."""


@dataclass
class Response:
    """One solution on its way through the lockstep."""

    problem: Problem
    index: int
    prompt: Prompt
    steps: list[str]
    hits: list[int] = field(default_factory=list)


class Bench:
    """The engine, the verifier and the problems that all sides share."""

    def __init__(self, config: RunConfig, engine: VllmEngine, pool: VerifierPool) -> None:
        self.config, self.engine, self.pool = config, engine, pool
        self.template = Template(next(iter(read_templates(config).values())))
        self.model = model_fingerprint(config.engine)
        self.key = policy_key(self.model, self.template.sha, config)
        self.problems = [item for item in load(config.sources[0], lambda _: None) if isinstance(item, Problem)]

    async def timed(self, side: Callable[[Sequence[Problem]], Awaitable[Labels]]) -> tuple[float, Labels]:
        """Seconds for all problems but the first, which warms up."""
        await side(self.problems[:1])
        await self.engine._llm.reset_prefix_cache()
        started = time.perf_counter()
        labels = await side(self.problems[1:])
        return time.perf_counter() - started, labels

    async def ours(self, problems: Sequence[Problem], **rollout_settings: Any) -> Labels:
        rollout = self.config.rollout.model_copy(update=rollout_settings)
        config = self.config.model_copy(update={"rollout": rollout})
        gate = asyncio.Semaphore(config.engine.max_in_flight)

        async def one(problem: Problem) -> Labels:
            async with gate:
                item = await annotate(problem, self.template, self.model, self.engine, self.pool, config)
            return {
                (problem.problem_id, index, step): any(draw.verdict.status == "correct" for draw in found.draws)
                for index, solution in enumerate(item.solutions)
                for step, found in enumerate(solution.steps[:-1])
            }

        return {key: label for labels in await asyncio.gather(*map(one, problems)) for key, label in labels.items()}

    async def lockstep(self, problems: Sequence[Problem]) -> Labels:
        labels: Labels = {}
        for start in range(0, len(problems), BATCH):
            labels |= await self._batch(problems[start : start + BATCH])
        return labels

    async def _batch(self, problems: Sequence[Problem]) -> Labels:
        responses = await self._responses(problems)
        for index in range(max(len(response.steps) for response in responses) - 1):
            active = [response for response in responses if index < len(response.steps) - 1]
            await self._advance(active, index)
        return {
            (response.problem.problem_id, response.index, step): hits > 0
            for response in responses
            for step, hits in enumerate(response.hits)
        }

    async def _responses(self, problems: Sequence[Problem]) -> list[Response]:
        sampling = self.config.sampling
        prompts = [chat_prompt(problem, self.template, self.engine) for problem in problems]
        seeds = [base_seed(self.config.seed, problem.problem_id, self.key, "solutions") for problem in problems]
        found: list[Response] = []
        for index in range(sampling.num_solutions):
            drawn = await self._call(prompts, [seed + index for seed in seeds], [sampling.max_tokens] * len(prompts))
            await self._judge(problems, [completion.text for completion in drawn], drawn)
            for problem, prompt, completion in zip(problems, prompts, drawn, strict=True):
                steps = split(completion.text, how=self.config.split)
                found.append(Response(problem, index, prompt, steps))
        return found

    async def _advance(self, active: Sequence[Response], index: int) -> None:
        """All continuations after step `index`, one a call; the verdicts come when the step is through."""
        texts = [SEPARATOR.join(response.steps[: index + 1]) + SEPARATOR for response in active]
        ids = [self.engine.encode(text) for text in texts]
        prompts = [
            Prompt(response.prompt.token_ids + prefix, response.prompt.images, response.prompt.max_tiles)
            for response, prefix in zip(active, ids, strict=True)
        ]
        room = [max(1, self.config.sampling.max_tokens - len(prefix)) for prefix in ids]
        seeds = [
            base_seed(self.config.seed, response.problem.problem_id, self.key, f"s{response.index}", index)
            for response in active
        ]
        hits = [0] * len(active)
        for draw in range(self.config.rollout.num_draws):
            drawn = await self._call(prompts, [seed + draw for seed in seeds], room)
            whole = [text + completion.text for text, completion in zip(texts, drawn, strict=True)]
            verdicts = await self._judge([response.problem for response in active], whole, drawn)
            hits = [count + (verdict.status == "correct") for count, verdict in zip(hits, verdicts, strict=True)]
        for response, count in zip(active, hits, strict=True):
            response.hits.append(count)

    async def _call(self, prompts: Sequence[Prompt], seeds: Sequence[int], room: Sequence[int]) -> list[Completion]:
        """One sample for every prompt; the barrier is here."""
        sampling = self.config.sampling
        drawn = await asyncio.gather(
            *(
                self.engine.generate(prompt, sampling, 1, seed, limit)
                for prompt, seed, limit in zip(prompts, seeds, room, strict=True)
            )
        )
        return [completion for (completion,) in drawn]

    async def _judge(
        self, problems: Sequence[Problem], texts: Sequence[str], drawn: Sequence[Completion]
    ) -> list[Verdict]:
        def judge(problem: Problem, text: str, reason: FinishReason) -> Awaitable[Verdict]:
            return self.pool.verify(problem.answer, text, problem.verify, problem.options, problem.question, reason)

        return list(
            await asyncio.gather(
                *(
                    judge(problem, text, completion.finish_reason)
                    for problem, text, completion in zip(problems, texts, drawn, strict=True)
                )
            )
        )


class Settings(Strict):
    """What is measured."""

    problems: int = 32
    """Problems of the demo; one more warms up."""


def measure(settings: Settings) -> dict[str, float]:
    config = load_config("configs/demo.yaml", [f"sources.0.kwargs.count={settings.problems + 1}"])
    return asyncio.run(_all_sides(config))


async def _all_sides(config: RunConfig) -> dict[str, float]:
    engine = VllmEngine(config.engine)
    try:
        with VerifierPool(config.verify.workers, config.verify.time_limit_s) as pool:
            bench = Bench(config, engine, pool)
            fixed_s, fixed = await bench.timed(partial(bench.ours, strategy="fixed"))
            first_s, first = await bench.timed(partial(bench.ours, strategy="first_success"))
            quick = partial(bench.ours, strategy="first_success", rounds=QUICK_ROUNDS)
            quick_s, quickly = await bench.timed(quick)
            lockstep_s, lockstep = await bench.timed(bench.lockstep)
    finally:
        await engine.close()
    return {
        "fixed_s": fixed_s,
        "first_success_s": first_s,
        "quick_s": quick_s,
        "lockstep_s": lockstep_s,
        "prefixes": len(fixed),
        "same_in_lockstep": sum(lockstep.get(key) == hit for key, hit in fixed.items()),
        "same_in_first_success": sum(first.get(key) == hit == quickly.get(key) for key, hit in fixed.items()),
    }


BENCHMARK = Benchmark(
    on="{problems} problems of the demo, {prefixes:,.0f} prefixes, one engine for all sides",
    figures=(
        Figure("wall time of lockstep against ours, `fixed`", "lockstep_s", "fixed_s", "s", at_least=3),
        Figure("… against ours, `first_success` in rounds of 4/4/8", "lockstep_s", "first_success_s", "s"),
        Figure("… in rounds of 1/1/2/4/8", "lockstep_s", "quick_s", "s", at_least=8),
        Figure("labels of lockstep that are `fixed`'s", "same_in_lockstep", "prefixes", at_least=1),
        Figure(
            "labels of `first_success`, both ways, that are `fixed`'s", "same_in_first_success", "prefixes", at_least=1
        ),
    ),
    settings=Settings,
    measure=measure,
)
