"""Rollouts through one vLLM server against the same with the engine inside: tokens/s of the same problems.

    python -m benchmarks served problems=32

Both sides are the annotator as the Ray actor runs it, and the engine of each has the same core: one after the other.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.engine_busy import Recording, pipeline_side
from benchmarks.policy_server import servers
from benchmarks.shape import Benchmark, Figure
from pipeline.config import EngineConfig, RunConfig, SamplingConfig, load_config
from pipeline.engine import Completion, Engine, Prompt, make_engine
from pipeline.settings import Strict


class Settings(Strict):
    """What is measured."""

    problems: int = 32
    """Problems of the demo; one more warms up."""


def measure(settings: Settings) -> dict[str, float]:
    config = load_config("configs/demo.yaml", [f"sources.0.kwargs.count={settings.problems + 1}"])
    inside_s, inside_tokens, inside = _side(config)
    with tempfile.TemporaryDirectory() as folder, servers(1, Path(folder)) as (server,):
        engine = EngineConfig.model_validate({**config.engine.model_dump(), "kind": "server", "urls": [server.url]})
        seconds, tokens, drawn = _side(config.model_copy(update={"engine": engine}))
    if drawn != inside:
        raise RuntimeError(f"{tokens} tokens through the server, {inside_tokens} inside: not the same draws")
    return {"tokens_per_s": tokens / seconds, "inside_tokens_per_s": inside_tokens / inside_s, "tokens": tokens}


class Keeping(Recording):
    """It remembers what it answered, too."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.drawn: dict[object, list[Completion]] = {}

    async def generate(
        self, prompt: Prompt, sampling: SamplingConfig, n: int, seed: int, *more: Any, **stop: Any
    ) -> list[Completion]:
        found = await super().generate(prompt, sampling, n, seed, *more, **stop)
        self.drawn[prompt.token_ids, tuple(image.sha256 for image in prompt.images), n, seed] = found
        return found


def _side(config: RunConfig) -> tuple[float, int, dict[object, list[Completion]]]:
    """Seconds, generated tokens, and all draws of all problems."""
    engine = Keeping(make_engine(config.engine))

    async def work() -> float:
        try:
            return await pipeline_side(config, engine)
        finally:
            await engine.close()

    return asyncio.run(work()), engine.tokens, engine.drawn


BENCHMARK = Benchmark(
    on="{problems} problems of the demo, {tokens:,.0f} tokens; one server and one engine, each with one core",
    figures=(
        Figure(
            "rollout tokens/s through one vLLM server against the engine inside",
            "tokens_per_s", "inside_tokens_per_s", "tokens/s", at_least=0.75,
        ),
    ),
    settings=Settings,
    measure=measure,
)  # fmt: skip
