"""What a policy of each family has to do on the real vLLM, tried with a tiny random model of it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from PIL import Image as PillowImage
from PIL import ImageDraw

from pipeline.config import EngineConfig, SamplingConfig
from pipeline.engine import Prompt
from pipeline.errors import RowError
from pipeline.records import Image
from stages.load.control_tokens import refuse_control_tokens
from tests.families import FOR_VLLM, family

POLICIES = ("internvl", "qwen2_5_vl", "qwen3_vl", "qwen3_5", "gemma3")
ARGS: dict[str, dict[str, Any]] = {"qwen3_5": {"enable_prefix_caching": False}}
"""With hybrid attention the cache wants chunked prefill, under which seeded requests fail on a CPU."""
DTYPES: dict[str, Literal["float32", "bfloat16"]] = {"qwen3_5": "bfloat16"}
"""vLLM computes gated delta nets on a CPU in no other."""
TOKENS = 24
"""Of a response: the greedy one is cut after every one of them."""

GREEDY = SamplingConfig(temperature=1.0, top_k=1, max_tokens=TOKENS)


@dataclass(frozen=True, slots=True)
class Found:
    """What one policy did. `tails` of `prefixes` greedy continuations repeat the response's own tail.

    `limits` are the prompt's tokens without a limit of the source and with one, equal where pictures have one size.
    `control` counts control tokens in `drawn` tokens of a policy that writes at random; `openers` are those that a user
    could write and no source lets through. `reused`: whether a prefix is found again in the cache; null without one.
    """

    in_order: bool
    several: bool
    limits: tuple[int, int]
    tails: int
    prefixes: int
    drawn: int
    control: int
    openers: tuple[str, ...]
    reused: bool | None

    @property
    def faults(self) -> list[str]:
        """What is wrong; empty if nothing is."""
        told = {
            "pictures that change places change nothing, or the same ones do not give the same": not self.in_order,
            "three pictures are as many tokens as one": not self.several,
            f"{self.prefixes - self.tails} of {self.prefixes} greedy continuations differ from the response": self.tails
            < self.prefixes,
            f"{self.control} control tokens stand in what was drawn": self.control > 0,
            f"a source lets {', '.join(self.openers)} through": bool(self.openers),
        }
        return [text for text, wrong in told.items() if wrong]


@contextmanager
def running(name: str, folder: Path) -> Iterator[tuple[Any, Callable[[Any], Any]]]:
    """An engine with a tiny model of that family, and what runs a coroutine to its end."""
    from pipeline.engine import make_engine

    model, processor = family(name, **FOR_VLLM)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    _as_released(name, folder / "model.safetensors")
    args = {"kv_cache_memory_bytes": 1 << 28, **ARGS.get(name, {})}
    loop = asyncio.new_event_loop()
    dtype = DTYPES.get(name, "float32")
    engine = make_engine(EngineConfig(model=str(folder), dtype=dtype, max_model_len=2048, args=args))
    try:
        yield engine, loop.run_until_complete
    finally:
        loop.run_until_complete(engine.close())
        loop.close()


def _as_released(name: str, weights: Path) -> None:
    """Gemma 3's released weights have older names than those that transformers writes, and vLLM knows these alone."""
    from safetensors.torch import load_file, save_file

    if name == "gemma3":
        old, new = "vision_tower.", "vision_tower.vision_model."
        save_file(
            {key.replace(old, new): value for key, value in load_file(weights).items()}, weights, {"format": "pt"}
        )


def examine(engine: Any, do: Callable[[Any], Any]) -> Found:
    pictures = tuple(_picture(colour) for colour in ((200, 30, 40), (20, 60, 220), (240, 240, 60)))
    one = Prompt(engine.chat("What is this?", 1), pictures[:1], 3)
    two = Prompt(engine.chat("<image> or <image>?", 2), pictures[:2], 3)
    three = Prompt(engine.chat("<image>, <image> or <image>?", 3), pictures, 3)
    random = SamplingConfig(max_tokens=TOKENS)
    drawn = do(engine.generate(one, random, 32, 7, TOKENS))
    first, again, swapped = (
        do(engine.generate(replace(two, images=images), random, 16, 1, TOKENS))
        for images in (pictures[:2], pictures[:2], pictures[1::-1])
    )
    tails, prefixes = _tails(engine, do, two)
    control = engine._text.control_ids
    ids = [token for each in drawn for token in each.token_ids]
    names = engine._text.tokenizer.convert_ids_to_tokens(sorted(control))
    return Found(
        in_order=first == again != swapped,
        several=do(_length(engine, three)) > do(_length(engine, one)),
        limits=(do(_length(engine, one)), do(_length(engine, _limited(engine, one)))),
        tails=tails,
        prefixes=prefixes,
        drawn=len(ids),
        control=sum(token in control for token in ids),
        openers=tuple(name for name in names if _passes(name)),
        reused=engine.gauges.prefix_reused,
    )


def _tails(engine: Any, do: Callable[[Any], Any], prompt: Prompt) -> tuple[int, int]:
    """How many greedy continuations, of how many prefixes, repeat the tail of the greedy response."""
    ((whole,), equal) = do(engine.generate(prompt, GREEDY, 1, 1, TOKENS)), 0
    for cut in range(1, len(whole.token_ids)):
        ids = whole.token_ids[:cut]
        (rest,) = do(engine.generate(replace(prompt, token_ids=prompt.token_ids + ids), GREEDY, 1, 1, TOKENS - cut))
        equal += ids + rest.token_ids == whole.token_ids
    return equal, max(0, len(whole.token_ids) - 1)


def _limited(engine: Any, prompt: Prompt) -> Prompt:
    """With the least that a source may allow, of whatever the model limits."""
    if engine._limit.of == "pixels":
        return replace(prompt, max_pixels=engine._limit.fewest)
    return replace(prompt, max_tiles=1)


async def _length(engine: Any, prompt: Prompt) -> int:
    """The prompt's tokens as the model sees them, pictures and all."""
    from vllm.sampling_params import SamplingParams

    from pipeline.engine.vllm import vllm_prompt

    asked, found = SamplingParams(max_tokens=1), 0
    async for output in engine._llm.generate(vllm_prompt(prompt, engine._limit), asked, request_id=f"{id(prompt)}"):
        found = len(output.prompt_token_ids)
    return found


def _passes(text: str) -> bool:
    try:
        refuse_control_tokens(text)
    except RowError:
        return False
    return True


def _picture(colour: tuple[int, int, int]) -> Image:
    image = PillowImage.new("RGB", (160, 96), colour)
    ImageDraw.Draw(image).ellipse((20, 20, 70, 70), fill=tuple(255 - part for part in colour))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return Image.of(buffer.getvalue())
