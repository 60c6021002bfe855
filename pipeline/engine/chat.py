"""Text to token ids and back, by the model's own tokenizer and chat template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.records import IMAGE


class ChatText:
    """The tokenizer's side of an engine."""

    def __init__(self, model: str, trust_remote_code: bool = False) -> None:
        from transformers import AutoProcessor

        self.processor: Any = AutoProcessor.from_pretrained(model, trust_remote_code=trust_remote_code)
        self.tokenizer: Any = getattr(self.processor, "tokenizer", self.processor)

    def chat(self, text: str, num_images: int) -> tuple[int, ...]:
        """See `Engine.chat`."""
        pieces = text.split(IMAGE)
        content: list[dict[str, str]] = [{"type": "image"}] * (num_images if len(pieces) == 1 else 0)
        for index, piece in enumerate(pieces):
            content += [{"type": "image"}] if index else []
            content += [{"type": "text", "text": piece}] if piece else []
        messages = [{"role": "user", "content": content}]
        rendered = self.processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        return self.encode(rendered)

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
