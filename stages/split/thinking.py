"""A response's two parts: the thinking, and the answer after it.

A policy that thinks writes `<think> … </think>` and then its answer. Some chat templates write the opening tag themselves:
then a response begins inside the thinking, and holds the closing tag alone, or neither where it was cut.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from stages.split.pieces import Place

TAGS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("◁think▷", "◁/think▷"),
    ("<seed:think>", "</seed:think>"),
)
"""Known to all that tell thinking from an answer: splitters, the verifier, the reader of a critic's words."""
STARTS, ENDS = (re.compile("|".join(map(re.escape, tags)), re.IGNORECASE) for tags in zip(*TAGS, strict=True))


_PAIRS = [tuple(re.compile(re.escape(tag), re.IGNORECASE) for tag in pair) for pair in TAGS]


def opens(opening: str) -> bool:
    """Whether what the chat template writes of the assistant's turn ends inside the thinking."""

    def last(tag: re.Pattern[str]) -> int:
        return max((found.start() for found in tag.finditer(opening)), default=-1)

    return any(last(start) > last(end) for start, end in _PAIRS)


def is_thinking(text: str, opened: bool) -> bool:
    """Whether a response that begins like this still thinks: its thinking has begun, and no tag closed it."""
    if closes(text):
        return False
    return opened or any(start.match(text.lstrip()) for start, _ in _PAIRS)


def closes(text: str) -> bool:
    """Whether a text holds a tag that ends the thinking."""
    return ENDS.search(text) is not None


@dataclass(frozen=True, slots=True)
class Parts:
    """Places in a response: the thinking with its tags, what stands between these, and the answer; each may be empty."""

    thinking: Place
    inside: Place
    answer: Place


def parts(text: str, opened: bool) -> Parts:
    """The parts of a response, with the white space between them in neither.

    Args:
        opened: whether the response begins inside the thinking. A closing tag without an opening one says so, too.
    """
    for start, end in _PAIRS:
        begins, closed = start.match(text, len(text) - len(text.lstrip())), end.search(text)
        if closed is None and begins is None:
            continue
        first = begins.end() if begins else 0
        last = max(first, closed.start()) if closed else len(text)
        return _parts(text, first, last, closed.end() if closed else len(text))
    return _parts(text, 0, len(text), len(text)) if opened else _parts(text, 0, 0, 0)


def _parts(text: str, first: int, last: int, after: int) -> Parts:
    answer = len(text) - len(text[after:].lstrip())
    return Parts(Place(0, after), Place(first, last), Place(answer, len(text)))
