"""Places in a text: the pieces between cuts, and what must not be cut."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

_OPENERS = re.compile(
    r"^ {0,3}(?P<fence>`{3,}|~{3,})|(?P<display>\$\$|\\\[)|(?P<inline>\\\()|\\begin\{(?P<environment>\w+\*?)\}|(?P<sign>[$`])",
    re.MULTILINE,
)
_CLOSERS = {"$$": "$$", "\\[": "\\]", "\\(": "\\)"}


@dataclass(frozen=True, slots=True)
class Place:
    """The characters `[start, end)` of a text."""

    start: int
    end: int


def between(text: str, cuts: Iterable[int]) -> list[Place]:
    """The pieces that cuts leave, at least one, without the white space between them; what is blank is none.

    White space before the first piece and after the last belongs to them. A cut inside a formula or code is none.
    """
    inside = closed(text)
    at = [0, *sorted({cut for cut in cuts if 0 < cut < len(text) and not _within(inside, cut)}), len(text)]
    found = []
    for start, end in pairwise(at):
        piece = text[start:end]
        if bare := piece.strip():
            start += len(piece) - len(piece.lstrip())
            found.append(Place(start, start + len(bare)))
    if not found:
        return [Place(0, len(text))]
    found[0] = Place(0, found[0].end)
    found[-1] = Place(found[-1].start, len(text))
    return found


def closed(text: str) -> list[Place]:
    """Formulas and code, in order. A fence that nothing closes reaches to the end; other signs then stand for themselves."""
    found: list[Place] = []
    position = 0
    without: set[str] = set()
    while opened := _OPENERS.search(text, position):
        end = _end(text, opened, without)
        if end < 0:
            position = opened.end()
            continue
        found.append(Place(opened.start(), end))
        position = end
    return found


def _end(text: str, opened: re.Match[str], without: set[str]) -> int:
    """Where what was opened is closed; -1 where it isn't. `without` are closers that don't come any more."""
    kind, start = opened.lastgroup, opened.end()
    if kind == "fence":
        closing = re.compile(rf"^ {{0,3}}{re.escape(opened['fence'])}[`~]*[ \t]*$", re.MULTILINE).search(text, start)
        return closing.end() if closing else len(text)
    if kind == "sign":
        return _inline(text, opened[0], start)
    closer = f"\\end{{{opened['environment']}}}" if kind == "environment" else _CLOSERS[opened[0]]
    if closer in without:
        return -1
    if (found := text.find(closer, start)) < 0:
        without.add(closer)
        return -1
    return found + len(closer)


def _inline(text: str, sign: str, start: int) -> int:
    """The end of `code` or of a formula between dollars, on one line; two amounts of money are none."""
    line = text.find("\n", start)
    found = text.find(sign, start, len(text) if line < 0 else line)
    if found <= start or (
        sign == "$" and (text[start].isspace() or text[found - 1].isspace() or text[start - 2 : start - 1] == "\\")
    ):
        return -1
    following = text[found + 1 : found + 2]
    return -1 if sign == "$" and following.isdecimal() else found + 1


def _within(inside: Sequence[Place], cut: int) -> bool:
    """Is the cut in one of the places, and not at its edge?"""
    index = bisect_right(inside, cut, key=lambda place: place.start) - 1
    return index >= 0 and inside[index].start < cut < inside[index].end
