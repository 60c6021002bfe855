"""vLLM's own requests: token ids and pictures in, token ids out (`POST /inference/v1/generate`). Pure.

Such a server draws for whatever it understood of a request, without a word: it replies 200 where the picture never reached
the model, or fewer of them than placeholders. So every reply says what the prompt became, and is compared with what it is of.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipeline.config import SamplingConfig
from pipeline.engine.drawn import Drawn
from pipeline.engine.server.replies import Fault, Refused

PATH = "/inference/v1/generate"


@dataclass(frozen=True, slots=True)
class Ask:
    """One request; child j of its `n` draws has `seed + j`."""

    token_ids: tuple[int, ...]
    sampling: SamplingConfig
    n: int
    seed: int
    max_tokens: int
    stop: str | None = None
    schema: Mapping[str, Any] | None = None
    ahead: bool = False
    stop_ids: tuple[int, ...] = ()

    def split(self, most: int | None) -> list[Ask]:
        """The same draws as requests for at most so many each."""
        if most is None or self.n <= most:
            return [self]
        return [replace(self, n=min(most, self.n - first), seed=self.seed + first) for first in range(0, self.n, most)]

    def body(self, pictures: Sequence[Mapping[str, Any]], priorities: bool) -> dict[str, Any]:
        """The request for a server that heeds `priorities` or takes none."""
        sampling: dict[str, Any] = {
            "n": self.n,
            "seed": self.seed,
            "temperature": self.sampling.temperature,
            "top_p": self.sampling.top_p,
            "top_k": self.sampling.top_k,
            "max_tokens": self.max_tokens,
        }
        if self.stop_ids:
            sampling["stop_token_ids"] = list(self.stop_ids)
        if self.stop is not None:
            sampling |= {"stop": [self.stop], "include_stop_str_in_output": True}
        if self.schema is not None:
            sampling["structured_outputs"] = {"json": dict(self.schema)}
        return {
            "token_ids": list(self.token_ids),
            "sampling_params": sampling,
            "output_mode": "text",
            "return_token_ids": True,
            **({"content_parts": list(pictures)} if pictures else {}),
            **({"priority": 1} if priorities and not self.ahead else {}),
        }


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server drew, in the order of seeds, and of how many tokens."""

    drawn: tuple[Drawn, ...]
    prompt_tokens: int
    """Of the prompt as it was expanded, once for all draws."""
    cached_tokens: int
    completion_tokens: int


def read(body: Mapping[str, Any], n: int, pictures: int) -> Reply:
    """The draws of a reply to a request for `n` of them about so many pictures.

    Raises:
        Fault: it is no reply to such a request.
    """
    seen = _count(body.get("mm_placeholders"))
    if seen != pictures:
        raise Fault("wrong", f"a reply that saw {seen} of {pictures} pictures")
    choices = body.get("choices")
    if not isinstance(choices, list) or len(choices) != n:
        raise Fault("wrong", f"a reply of {len(choices) if isinstance(choices, list) else 0} draws, asked for {n}")
    try:
        if sorted(one["index"] for one in choices) != list(range(n)):
            raise Fault("wrong", "a reply whose draws are not numbered from 0 on")
        ordered = sorted(choices, key=lambda one: one["index"])
        drawn = tuple(map(_drawn, ordered))
        prompt = len(body["prompt_token_ids"])
    except (KeyError, TypeError) as error:
        raise Fault("wrong", f"a reply of another form ({type(error).__name__}: {error})") from error
    usage = body.get("usage") or {}
    details = usage.get("prompt_tokens_details") or {}
    return Reply(drawn, prompt, details.get("cached_tokens") or 0, sum(len(one.token_ids) for one in drawn))


def _drawn(choice: Mapping[str, Any]) -> Drawn:
    ids, text, reason = choice["token_ids"], choice["text"], choice["finish_reason"]
    if not isinstance(text, str) or not all(type(token) is int for token in ids):
        raise TypeError("token_ids, text")
    if reason not in ("stop", "length"):
        raise Fault("failed", f"a draw that ended with {reason!r}")
    return Drawn(tuple(ids), text, reason)


def _count(placeholders: Any) -> int:
    held = placeholders.values() if isinstance(placeholders, Mapping) else ()
    return sum(len(ranges) for ranges in held if isinstance(ranges, list))


def unknown_picture(refused: Refused) -> bool:
    """Whether the server does not have a picture that was named by its hash."""
    return "Cache miss" in refused.message


def most_draws(refused: Refused) -> int | None:
    """The most draws that the server takes in one request, where it refuses one for their number."""
    found = re.search(r"max_num_seqs\D{0,4}(\d+)", refused.message)
    return int(found[1]) if found else None
