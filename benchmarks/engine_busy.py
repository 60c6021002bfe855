"""How busy the pipeline keeps vLLM: its tokens/s against `vllm.LLM.generate` on the same requests, all at once.

    python -m benchmarks engine_busy problems=64

The pipeline's side is the annotator as the Ray actor runs it: sampling, splitting, continuations and verdicts,
`engine.max_in_flight` problems at once. Its requests are recorded and then given to the offline engine together.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from benchmarks.shape import Benchmark, Figure
from pipeline.config import RunConfig, SamplingConfig, load_config
from pipeline.engine import Completion, Engine, Prompt
from pipeline.settings import Strict


class Recording:
    """An engine that remembers what it was asked."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.requests: list[tuple[Prompt, SamplingConfig, int, int, int]] = []
        self.tokens = 0
        self.chat, self.encode, self.ends = engine.chat, engine.encode, engine.ends
        self.close, self.gauges, self.opening = engine.close, engine.gauges, engine.opening

    async def generate(
        self,
        prompt: Prompt,
        sampling: SamplingConfig,
        n: int,
        seed: int,
        max_tokens: int,
        *,
        stop: str | None = None,
    ) -> list[Completion]:
        self.requests.append((prompt, sampling, n, seed, max_tokens))
        drawn = await self._engine.generate(prompt, sampling, n, seed, max_tokens, stop=stop)
        self.tokens += sum(len(completion.token_ids) + 1 for completion in drawn)
        return drawn


async def pipeline_side(config: RunConfig, engine: Recording) -> float:
    """Seconds that annotating all problems takes."""
    from pipeline.engine.policy import model_fingerprint
    from pipeline.records import Problem
    from stages.annotate.annotator import annotate
    from stages.annotate.sample import Template
    from stages.annotate.settings_lock import read_templates
    from stages.load.parse import load
    from stages.verify.pool import VerifierPool

    template = Template(next(iter(read_templates(config).values())))
    problems = [item for item in load(config.sources[0], lambda problem: None) if isinstance(item, Problem)]
    gate = asyncio.Semaphore(config.engine.max_in_flight)
    model = model_fingerprint(config.engine)
    with VerifierPool(config.verify.workers, config.verify.time_limit_s) as pool:

        async def one(problem: Problem) -> None:
            async with gate:
                await annotate(problem, template, model, engine, pool, config)

        await one(problems[0])  # warms engine and verifier up
        engine.requests.clear()
        engine.tokens = 0
        started = time.perf_counter()
        await asyncio.gather(*map(one, problems[1:]))
        return time.perf_counter() - started


def offline_side(config: RunConfig, requests: list[Any]) -> tuple[float, int]:
    """Seconds and generated tokens of `LLM.generate` on all requests at once."""
    from vllm import LLM, SamplingParams

    from pipeline.engine.chat import ChatText
    from pipeline.engine.pictures import picture_limit
    from pipeline.engine.vllm import CPU_ARGS, vllm_prompt

    llm = LLM(
        model=config.engine.model, dtype=config.engine.dtype, max_model_len=config.engine.max_model_len,
        limit_mm_per_prompt={"image": 16}, enable_prefix_caching=True, **CPU_ARGS,
    )  # fmt: skip
    limit_of = picture_limit(ChatText(config.engine.model).processor)
    prompts = [vllm_prompt(prompt, limit_of) for prompt, *_ in requests]
    parameters = [
        SamplingParams(n=n, seed=seed, temperature=s.temperature, top_p=s.top_p, top_k=s.top_k, max_tokens=limit)
        for _, s, n, seed, limit in requests
    ]
    llm.generate(prompts[:4], parameters[:4], use_tqdm=False)
    llm.reset_prefix_cache()
    started = time.perf_counter()
    outputs = llm.generate(prompts, parameters, use_tqdm=False)
    seconds = time.perf_counter() - started
    return seconds, sum(len(completion.token_ids) for output in outputs for completion in output.outputs)


class Settings(Strict):
    """What is measured."""

    problems: int = 64
    """Problems of the demo; one more warms up."""


def measure(settings: Settings) -> dict[str, float]:
    from pipeline.engine.vllm import VllmEngine

    config = load_config("configs/demo.yaml", [f"sources.0.kwargs.count={settings.problems + 1}"])
    engine = Recording(VllmEngine(config.engine))
    seconds = asyncio.run(_closing(pipeline_side(config, engine), engine))
    offline_seconds, offline_tokens = offline_side(config, engine.requests)
    return {
        "tokens_per_s": engine.tokens / seconds,
        "offline_tokens_per_s": offline_tokens / offline_seconds,
        "requests": len(engine.requests),
        "tokens": engine.tokens,
        "offline_tokens": offline_tokens,
    }


async def _closing(work: Any, engine: Recording) -> float:
    try:
        return float(await work)
    finally:
        await engine.close()


BENCHMARK = Benchmark(
    on="{problems} problems of the demo, {requests:,.0f} requests, {tokens:,.0f} tokens",
    figures=(
        Figure(
            "tokens/s of the pipeline against `vllm.LLM.generate` on the same requests at once",
            "tokens_per_s", "offline_tokens_per_s", "tokens/s", at_least=0.97,
        ),
    ),
    settings=Settings,
    measure=measure,
)  # fmt: skip
