"""Thinking that is too long is closed by a text of ours, and the answer is drawn after it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.config import SamplingConfig
from pipeline.engine import Completion, Engine, Prompt
from pipeline.seeds import base_seed
from stages.split.thinking import is_thinking


@dataclass(frozen=True, slots=True)
class Closing:
    """What closes the thinking of a response once it has `limit` tokens: a text, and its ids.

    `opened` says whether responses begin inside the thinking, without an opening tag.
    """

    text: str
    token_ids: tuple[int, ...]
    limit: int
    opened: bool


async def draw(
    engine: Engine,
    prompt: Prompt,
    before: tuple[str, Sequence[int]],
    sampling: SamplingConfig,
    n: int,
    seed: int,
    room: int,
    closing: Closing | None,
) -> list[Completion]:
    """Draws `n` completions as `Engine.generate` does, none of which thinks on beyond the limit.

    A first request draws what is left to think. A completion that ends there is whole. One that still thinks then is closed, one
    that has begun its answer is not; a second request goes on with either, from the ids of the first and those of the closing
    text. Its seed is a hash of the draw's own, so that it depends on nothing else.

    Args:
        prompt: its ids end with those of `before`.
        before: the beginning of the response, text and ids.
        room: the most tokens of a completion.

    Raises:
        RowError, EngineDead: as the engine does.
    """
    text, ids = before
    if closing is None or (text.strip() and not is_thinking(text, closing.opened)):
        return await engine.generate(prompt, sampling, n, seed, room)
    left = min(room, closing.limit - len(ids))
    firsts = (
        await engine.generate(prompt, sampling, n, seed, left)
        if left > 0
        else [Completion((), "", "length", seed + j) for j in range(n)]
    )

    async def finished(first: Completion) -> Completion:
        if first.finish_reason == "stop" or len(first.token_ids) >= room:
            return first
        written = _whole_characters(first.token_ids, engine.ends(first.token_ids, prompt.token_ids))
        thinks = is_thinking(text + first.text, closing.opened)
        joint, joint_text = (closing.token_ids, closing.text) if thinks else ((), "")
        following = replace(prompt, token_ids=(*prompt.token_ids, *written, *joint))
        rest = max(1, room - len(written) - len(joint))
        (second,) = await engine.generate(following, sampling, 1, base_seed("after thinking", first.seed), rest)
        return Completion(
            (*written, *joint, *second.token_ids),
            first.text + joint_text + second.text,
            second.finish_reason,
            first.seed,
        )

    return list(await asyncio.gather(*map(finished, firsts)))


def _whole_characters(token_ids: tuple[int, ...], ends: Sequence[int]) -> tuple[int, ...]:
    """Without the tokens at the end that begin a character and don't complete it: the text has none of it."""
    count = len(token_ids)
    while count and ends[count - 1] == (ends[count - 2] if count > 1 else 0):
        count -= 1
    return token_ids[:count]
