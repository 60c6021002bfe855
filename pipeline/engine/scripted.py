"""An engine without a model: each completion follows from its seed alone.

It reasons in two to five steps and ends in a right or a wrong one-digit answer, so that every branch of the
pipeline is met in milliseconds: some responses are truncated, some have no answer. Its tokens are UTF-8 bytes.
"""

from __future__ import annotations

import asyncio
import codecs
import random
import sys
import time
from collections.abc import Sequence
from itertools import accumulate

from pipeline.config import EngineConfig, SamplingConfig
from pipeline.engine import Completion, Prompt
from pipeline.engine.chat import check_arguments
from pipeline.engine.gauges import Gauges
from pipeline.engine.scripted_json import json_text
from pipeline.errors import EngineDead, RowError, UserError
from pipeline.records import IMAGE

IMAGE_TOKEN = 256
TOKENS_PER_IMAGE = 16
FILLER = " It is read off the picture."


class ScriptedEngine:
    """See the module.

    `engine.args` takes what plays a real engine: `tokens_per_second` of one request, `engine_tokens_per_second` of all
    requests together, and `step_characters`, the least length of a step but the last. `thinking` plays a policy that
    thinks, in one to four steps before the answer: `written` with both tags, or `opened` by the chat template, whose
    argument `enable_thinking: false` it heeds; a share `unclosed` of the draws thinks without an end. What plays a failing one:
    `endings`, the last steps of all responses to prompts that hold a word, by that word; `start_error`, what it raises
    instead of starting; `dies_after`, the number of requests after which it is gone.
    """

    def __init__(self, config: EngineConfig) -> None:
        self.gauges = Gauges()
        self._max_model_len = config.max_model_len
        self._rate = config.args.get("tokens_per_second")
        self._total_rate = config.args.get("engine_tokens_per_second")
        self._step_characters = config.args.get("step_characters", 0)
        self._endings: dict[str, str] = config.args.get("endings", {})
        self._left = config.args.get("dies_after", sys.maxsize)
        self._thinking: str | None = config.args.get("thinking")
        self._unclosed = config.args.get("unclosed", 0.0)
        if self._thinking not in (None, "opened", "written"):
            raise UserError(f"engine.args.thinking={self._thinking}: opened or written")
        check_arguments("{{ enable_thinking }}" if self._thinking == "opened" else "", config.chat_template)
        thinks = config.chat_template.get("enable_thinking", True)
        closed = "" if thinks else "\n</think>\n\n"
        self.opening = f"<think>\n{closed}" if self._thinking == "opened" else ""
        self._busy_until = 0.0
        if error := config.args.get("start_error"):
            raise RuntimeError(error)

    def chat(self, text: str, num_images: int) -> tuple[int, ...]:
        before = [IMAGE_TOKEN] * (num_images - text.count(IMAGE))
        parts = [self.encode(part) for part in text.split(IMAGE)]
        return (
            tuple(before)
            + parts[0]
            + tuple(t for part in parts[1:] for t in (IMAGE_TOKEN, *part))
            + (
                10,
                *self.encode(self.opening),
            )
        )

    def encode(self, text: str) -> tuple[int, ...]:
        return tuple(text.encode())

    def ends(self, token_ids: Sequence[int], after: Sequence[int] = ()) -> list[int]:
        decoder = codecs.getincrementaldecoder("utf-8")(errors="ignore")
        return list(accumulate(len(decoder.decode(bytes((token,)))) for token in token_ids))

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
        self._left -= 1
        if self._left < 0:
            raise EngineDead("dies_after")
        length = len(prompt.token_ids) + (TOKENS_PER_IMAGE - 1) * len(prompt.images)
        if length + max_tokens > self._max_model_len:
            raise RowError(
                "prompt_too_long", f"{length} tokens, the model takes {self._max_model_len} with the response"
            )
        self.gauges.begin()
        try:
            if prompt.schema is not None:
                drawn = [self._completion(json_text(prompt.schema, seed + j), seed + j, max_tokens) for j in range(n)]
            else:
                before = self._thinks_next(prompt)
                drawn = [self._draw(seed + j, max_tokens, stop, self._ending(prompt), before) for j in range(n)]
            await asyncio.sleep(self._seconds(sum(len(completion.token_ids) for completion in drawn)))
        finally:
            self.gauges.end()
        return drawn

    def _seconds(self, tokens: int) -> float:
        """How long a request takes that comes now: as long as its tokens, and those of all before it, need."""
        seconds = tokens / self._rate if self._rate else 0.0
        if self._total_rate:
            now = time.monotonic()
            self._busy_until = max(now, self._busy_until) + tokens / self._total_rate
            seconds = max(seconds, self._busy_until - now)
        return seconds

    def _thinks_next(self, prompt: Prompt) -> str | None:
        """What the policy writes before its thinking; null where it doesn't think any more."""
        if self._thinking is None:
            return None
        text = _text(prompt)
        start, end = text.rfind("<think>"), text.rfind("</think>")
        if start > end:
            return ""
        return "<think>\n" if self._thinking == "written" and end < 0 else None

    def _ending(self, prompt: Prompt) -> str | None:
        if not self._endings:
            return None
        text = _text(prompt)
        return next((ending for word, ending in self._endings.items() if word in text), None)

    def _draw(
        self, seed: int, max_tokens: int, stop: str | None, fixed: str | None, before: str | None = None
    ) -> Completion:
        rng = random.Random(seed)
        steps = [self._step(number, rng.randrange(10)) for number in range(rng.randint(1, 4))]
        ending = f"Final answer: {rng.choice((4, 4, 4, 7))}" if rng.random() < 0.9 else "I can't tell."
        text = "\n\n".join([*steps, ending if fixed is None else fixed])
        if before is not None:
            text = before + self._thought(seed) + text
        return self._completion(
            text if stop is None or stop not in text else text[: text.index(stop) + len(stop)], seed, max_tokens
        )

    def _completion(self, text: str, seed: int, max_tokens: int) -> Completion:
        ids = self.encode(text)
        cut = ids[:max_tokens]
        return Completion(cut, bytes(cut).decode(errors="ignore"), "stop" if cut == ids else "length", seed)

    def _thought(self, seed: int) -> str:
        """Thinking with its end, or without one: from a generator of its own, so that the answers stay what they are."""
        rng = random.Random(f"thinking {seed}")
        thoughts = [f"Perhaps {number} is {rng.randrange(10)}." for number in range(rng.randint(1, 4))]
        if rng.random() < self._unclosed:
            return "\n\n".join(thoughts) + "\n\nHmm." * 10_000
        return "\n\n".join(thoughts) + "\n</think>\n\n"

    def _step(self, number: int, value: int) -> str:
        step = f"Step {number} gives {value}."
        missing = self._step_characters - len(step)
        return step + FILLER * -(-missing // len(FILLER)) if missing > 0 else step

    async def close(self) -> None:
        return None


def _text(prompt: Prompt) -> str:
    return bytes(token for token in prompt.token_ids if token != IMAGE_TOKEN).decode(errors="ignore")
