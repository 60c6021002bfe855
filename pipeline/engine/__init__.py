"""What the stages ask of an inference engine, and how one is made from the configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pipeline.config import EngineConfig, SamplingConfig
from pipeline.engine.gauges import Gauges
from pipeline.functions import named_function
from pipeline.records import FinishReason, Image


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids with one unexpanded placeholder for each image, and the images in that order.

    `max_tiles` is for models that cut an image into tiles, `max_pixels` for those that count its pixels.
    What goes `ahead` is served before all that waits and doesn't. A completion is a JSON text that fits `schema`, a JSON
    schema, where there is one, unless it is cut.
    """

    token_ids: tuple[int, ...]
    images: tuple[Image, ...]
    max_tiles: int
    max_pixels: int | None = None
    ahead: bool = False
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """What the policy wrote: its ids without the end-of-sequence token, their text, and the seed that gave it."""

    token_ids: tuple[int, ...]
    text: str
    finish_reason: FinishReason
    seed: int


class Engine(Protocol):
    """A policy that can be sampled. All methods are safe to call from many tasks of one event loop."""

    gauges: Gauges
    """What the engine says of itself, kept up to date."""

    @property
    def opening(self) -> str:
        """What the chat template writes of the assistant's turn, such as `<|im_start|>assistant\\n<think>\\n`."""

    def chat(self, text: str, num_images: int) -> tuple[int, ...]:
        """The ids of a user turn and the opening of the assistant's.

        Every `<image>` in `text` becomes an image placeholder; without any, the images come first.
        """

    def encode(self, text: str) -> tuple[int, ...]:
        """The ids of plain text, without special tokens."""

    def ends(self, token_ids: Sequence[int], after: Sequence[int] = ()) -> list[int]:
        """For every token, the length in characters of the text up to and including it.

        `after` are the tokens before them, which some tokenizers need to know whether a space comes first.
        A token that ends inside a character has the end of the text before that character.
        """

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
        """Draws `n` completions; completion j is the one that `seed + j` gives alone.

        A completion ends with `stop` where that text comes up, and its text then ends with it; its last token may hold
        more. `finish_reason` is "stop" for this and for the model's own end.

        Raises:
            RowError: the model can't take this prompt.
            EngineDead: the engine is gone.
            StartError: no server answers any more.
            StartError: so are all servers.
        """

    async def close(self) -> None:
        """Ends the engine and its processes."""


def make_engine(config: EngineConfig) -> Engine:
    """Starts the engine that the configuration names (for vLLM: tens of seconds), or has its servers pass their trial.

    Raises:
        UserError, StartError: of servers, which don't fit the settings or don't answer.
    """
    if config.kind == "function":
        engine: Engine = named_function(config.model, "engine.model")(config)
        return engine
    if config.kind == "scripted":
        from pipeline.engine.scripted import ScriptedEngine

        return ScriptedEngine(config)
    if config.kind == "server":
        if config.api == "openai":
            from pipeline.engine.server.chat_engine import ChatEngine

            return ChatEngine(config)
        from pipeline.engine.server.engine import ServerEngine

        return ServerEngine(config)
    from pipeline.engine.vllm import VllmEngine

    return VllmEngine(config)
