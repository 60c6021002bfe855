"""What makes completions of what vLLM drew, here or behind a URL. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline.engine import Completion
from pipeline.errors import RowError


class Output(Protocol):
    """One draw, with the names that vLLM has for its parts; the ids may end with one that ends a response."""

    @property
    def token_ids(self) -> Sequence[int]: ...
    @property
    def text(self) -> str: ...
    @property
    def finish_reason(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Drawn:
    """An `Output` that a server sent."""

    token_ids: tuple[int, ...]
    text: str
    finish_reason: str


def check_room(outputs: Iterable[Output], max_tokens: int) -> None:
    """
    Raises:
        RowError: the context cut a draw, which says nothing about the step that it continues.
    """
    if any(one.finish_reason == "length" and len(one.token_ids) < max_tokens for one in outputs):
        raise RowError("prompt_too_long", f"{max_tokens} tokens of response don't fit into the context")


def completion(output: Output, seed: int, end_ids: Collection[int]) -> Completion:
    """The draw without the id that ended it."""
    ids, stopped = output.token_ids, output.finish_reason == "stop"
    if stopped and ids and ids[-1] in end_ids:
        ids = ids[:-1]
    return Completion(tuple(ids), output.text, "stop" if stopped else "length", seed)


def refusal(text: str) -> RowError:
    """What becomes of a request that vLLM does not take, by what it says."""
    line = " ".join(text.split())
    reason = "prompt_too_long" if re.search("model length|context length", line) else "prompt_refused"
    return RowError(reason, line[:300])
