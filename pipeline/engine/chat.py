"""Text to token ids and back, by the model's own tokenizer and chat template."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Any

from pipeline.errors import UserError, did_you_mean
from pipeline.records import IMAGE

_OURS = frozenset({"messages", "conversation", "add_generation_prompt", "continue_final_message", "tokenize"})
"""What a conversation is written with in any case."""


def check_arguments(template: str, arguments: Mapping[str, Any]) -> None:
    """Every argument must be one that the chat template reads: another one would change nothing, and nobody would see it.

    Raises:
        UserError: one isn't.
    """
    from jinja2 import Environment, meta

    # Statements that transformers adds to the language, and loop controls, which templates use.
    environment = Environment(extensions=["jinja2.ext.loopcontrols"], autoescape=False)
    text = re.sub(r"{%-?\s*(?:end)?generation\s*-?%}", "", template)
    read = meta.find_undeclared_variables(environment.parse(text)) - _OURS
    for key in arguments:
        if key not in read:
            raise UserError(
                f"engine.chat_template.{key}: the model's chat template does not read it{did_you_mean(key, read)}; remove it or "
                "correct its spelling"
            )


class ChatText:
    """The tokenizer's side of an engine; `arguments` are for the model's chat template.

    Raises:
        UserError: the template does not read one of them.
    """

    def __init__(self, model: str, trust_remote_code: bool = False, arguments: Mapping[str, Any] | None = None) -> None:
        from transformers import AutoProcessor

        self._arguments = dict(arguments or {})
        self.processor: Any = AutoProcessor.from_pretrained(model, trust_remote_code=trust_remote_code)
        self.tokenizer: Any = getattr(self.processor, "tokenizer", self.processor)
        if self._arguments:
            template = getattr(self.processor, "chat_template", None) or self.tokenizer.chat_template
            if isinstance(template, str):
                check_arguments(template, self._arguments)

    def chat(self, text: str, num_images: int) -> tuple[int, ...]:
        """See `Engine.chat`."""
        return self.encode(self.render(text, num_images))

    def render(self, text: str, num_images: int) -> str:
        """What `chat` gives the ids of."""
        pieces = text.split(IMAGE)
        content: list[dict[str, str]] = [{"type": "image"}] * (num_images if len(pieces) == 1 else 0)
        for index, piece in enumerate(pieces):
            content += [{"type": "image"}] if index else []
            content += [{"type": "text", "text": piece}] if piece else []
        return self._rendered(content, True)

    @cached_property
    def control_ids(self) -> frozenset[int]:
        """The control tokens by which turns and pictures begin and end: in a response, one of them ends it."""
        return frozenset(self.chat("?", 1)) & frozenset(self.tokenizer.all_special_ids)

    def stops(self, ends: Collection[int]) -> tuple[tuple[int, ...], frozenset[int]]:
        """The ids that must be made to end a response, and all that do; `ends` are the model's own, beside the tokenizer's.

        A policy that opens a turn or a picture of its own has come to the end of its answer.
        """
        own = {self.tokenizer.eos_token_id, *ends}
        stops = tuple(sorted(self.control_ids - own))
        return stops, frozenset(own.union(stops))

    @cached_property
    def opening(self) -> str:
        """See `Engine.opening`."""
        content = [{"type": "text", "text": "?"}]
        return self._rendered(content, True).removeprefix(self._rendered(content, False))

    def _rendered(self, content: list[dict[str, str]], opens: bool) -> str:
        messages = [{"role": "user", "content": content}]
        return str(
            self.processor.apply_chat_template(messages, add_generation_prompt=opens, tokenize=False, **self._arguments)
        )

    def encode(self, text: str) -> tuple[int, ...]:
        """See `Engine.encode`; special tokens in `text` are honoured."""
        return tuple(self.tokenizer.encode(text, add_special_tokens=False))

    def ends(self, token_ids: Sequence[int], after: Sequence[int] = ()) -> list[int]:
        """See `Engine.ends`."""
        from tokenizers.decoders import DecodeStream

        stream = DecodeStream(ids=list(after), skip_special_tokens=True)
        backend = self.tokenizer._tokenizer
        ends, length = [], 0
        for token_id in token_ids:
            length += len(stream.step(backend, token_id) or "")
            ends.append(length)
        return ends
