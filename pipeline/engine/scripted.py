"""An engine without a model: each completion follows from its seed alone.

It reasons in two to five steps and ends in a right or a wrong one-digit answer, so that every branch of the
pipeline is met in milliseconds: some responses are truncated, some have no answer. Its tokens are UTF-8 bytes.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from pipeline.config import EngineConfig, SamplingConfig
from pipeline.engine import Completion, Prompt
from pipeline.engine.gauges import Gauges
from pipeline.errors import RowError

IMAGE_TOKEN = 256
TOKENS_PER_IMAGE = 16


class ScriptedEngine:
    """See the module. `engine.args` takes `tokens_per_second` to play a real engine's speed."""

    def __init__(self, config: EngineConfig) -> None:
        self.gauges = Gauges()
        self._max_model_len = config.max_model_len
        self._rate = config.args.get("tokens_per_second")

    def chat(self, text: str, num_images: int) -> tuple[int, ...]:
        before = [IMAGE_TOKEN] * (num_images - text.count("<image>"))
        parts = [self.encode(part) for part in text.split("<image>")]
        return tuple(before) + parts[0] + tuple(t for part in parts[1:] for t in (IMAGE_TOKEN, *part)) + (10,)

    def encode(self, text: str) -> tuple[int, ...]:
        return tuple(text.encode())

    def ends(self, token_ids: Sequence[int], after: Sequence[int] = ()) -> list[int]:
        data = bytes(token_ids)
        ends, length = [], 0
        for index in range(len(data)):
            following = data[index + 1] if index + 1 < len(data) else 0
            length += (following & 0xC0) != 0x80
            ends.append(length)
        return ends

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
        length = len(prompt.token_ids) + (TOKENS_PER_IMAGE - 1) * len(prompt.images)
        if length + max_tokens > self._max_model_len:
            raise RowError(
                "prompt_too_long", f"{length} tokens, the model takes {self._max_model_len} with the response"
            )
        drawn = [self._draw(seed + j, max_tokens, stop) for j in range(n)]
        tokens = sum(len(completion.token_ids) for completion in drawn)
        await asyncio.sleep(tokens / self._rate if self._rate else 0)
        return drawn

    def _draw(self, seed: int, max_tokens: int, stop: str | None) -> Completion:
        rng = random.Random(seed)
        steps = [f"Step {number} gives {rng.randrange(10)}." for number in range(rng.randint(1, 4))]
        ending = f"Final answer: {rng.choice((4, 4, 4, 7))}" if rng.random() < 0.9 else "I can't tell."
        text = "\n\n".join([*steps, ending])
        ids = self.encode(text if stop is None or stop not in text else text[: text.index(stop) + len(stop)])
        cut = ids[:max_tokens]
        return Completion(cut, bytes(cut).decode(errors="ignore"), "stop" if cut == ids else "length", seed)

    async def close(self) -> None:
        return None
