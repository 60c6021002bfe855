"""The kinds of `split.kind`: where each cuts a text into pieces. All are pure functions of the text and the settings.

None asks a tokenizer: whoever scores a solution, with another one, must find the steps that the dataset has.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.config import SplitConfig
from pipeline.records import SEPARATOR
from stages.split.numbered import numbers
from stages.split.pieces import Place, between
from stages.split.sentences import sentence_starts

_TAGS = re.compile(r"(?=<step\b[\s\w=\"'.:-]*>)|(?<=</step>)", re.IGNORECASE)
_BLANK = re.compile(r"\n[^\S\n]*\n")
_TOKENS = re.compile(r"[A-Za-z]{1,8}|\d{1,3}|[^\sA-Za-z\d]")


@dataclass(frozen=True, slots=True)
class Kind:
    """`cut` gives the pieces of a text, before they are merged; `told` says on a card where they are cut."""

    cut: Callable[[str, SplitConfig], list[Place]]
    told: str


def blank_lines(text: str, how: SplitConfig) -> list[Place]:
    """As the paper does, wherever a blank line stands.

    A piece without visible characters stays with the step before it (the first with the one after it).
    """
    found: list[Place] = []
    blank, start = False, 0
    for piece in text.split(SEPARATOR):
        end = start + len(piece)
        if found and (not piece.strip() or blank):
            found[-1] = Place(found[-1].start, end)
            blank = blank and not piece.strip()
        else:
            found.append(Place(start, end))
            blank = not piece.strip()
        start = end + len(SEPARATOR)
    return found


def numbered(text: str, how: SplitConfig) -> list[Place]:
    return between(text, numbers(text))


def tags(text: str, how: SplitConfig) -> list[Place]:
    """Before every `<step>` and after every `</step>`; the tags stay in their steps."""
    return between(text, (found.start() for found in _TAGS.finditer(text)))


def sentences(text: str, how: SplitConfig) -> list[Place]:
    return between(text, sentence_starts(text))


def tokens(text: str, how: SplitConfig) -> list[Place]:
    """Paragraphs, the next one added while a step holds fewer than `how.tokens` tokens by `count_tokens`."""
    found: list[Place] = []
    held = how.tokens
    for piece in between(text, (cut.end() for cut in _BLANK.finditer(text))):
        if held < how.tokens:
            found[-1] = Place(found[-1].start, piece.end)
        else:
            found.append(piece)
            held = 0
        held += count_tokens(text[piece.start : piece.end])
    return found


def count_tokens(text: str) -> int:
    """About as many as a tokenizer makes: eight letters or three digits at most, and every other sign, are one each."""
    return sum(1 for _ in _TOKENS.finditer(text))


KINDS: dict[str, Kind] = {
    "blank_lines": Kind(blank_lines, "at blank lines"),
    "numbered": Kind(numbered, "at numbered headings"),
    "tags": Kind(tags, "at `<step>` tags"),
    "sentences": Kind(sentences, "at ends of sentences"),
    "tokens": Kind(tokens, "between paragraphs, gathered to about a number of tokens"),
}
"""By the name that `split.kind` has."""


def told(how: SplitConfig) -> str:
    """How solutions were cut, for a card."""
    where = KINDS[how.kind].told if how.kind in KINDS else f"by `{how.kind}`"
    number = f" ({how.tokens})" if how.kind == "tokens" else ""
    part = "" if how.part == "all" else f"the {how.part} alone, "
    return f"{part}split {where}{number}, merged evenly to at most {how.max_steps}"
