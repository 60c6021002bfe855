"""Texts that a tokenizer turns into control tokens: an image that isn't there, or the end of a turn."""

from __future__ import annotations

import re

from pipeline.errors import RowError

# Longer names than one letter, because `<|x|>` is mathematics.
_CONTROL = re.compile(
    r"<[|｜][\w▁./-]{2,}[|｜]>"
    r"|</?(?:IMG_CONTEXT|image|img|quad|ref|box|s|bos|eos|pad|unk|video|audio)>"
    r"|<(?:start|end)_of_(?:turn|image)>|<image_soft_token>|\[/?INST\]|<<SYS>>"
)


def refuse_control_tokens(text: str) -> None:
    """Raises RowError (`reserved_token`) if there is one in it."""
    if found := _CONTROL.search(text):
        raise RowError("reserved_token", f"{found[0]!r} is a control token of some models")
