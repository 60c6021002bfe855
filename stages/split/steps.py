"""Cuts a response into steps, without losing a character, and finds the characters and tokens of each step."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pipeline.config import SplitConfig
from stages.split.kinds import KINDS
from stages.split.own import own_pieces
from stages.split.pieces import Place


@dataclass(frozen=True, slots=True)
class Span:
    """The tokens `[start, end)` of a step and its separator.

    `exact` is false where the token at `end` holds both the end of this separator and text of the next step:
    then the span stops before that token.
    """

    start: int
    end: int
    exact: bool


def split(text: str, max_steps: int | None = None, how: SplitConfig | None = None) -> list[str]:
    """Cuts a text into steps and merges them evenly down to at most `max_steps` (by default that of `how`).

    The steps stand in the text one after another, with nothing but white space between them; `SEPARATOR.join` of those
    that were cut at blank lines, the default, is the text itself. No step is blank, unless the whole text is. Merging joins
    chunks of `ceil(count / max_steps)` pieces, as the reference does, so 13 pieces with `max_steps=12` become 7 steps (arXiv
    2503.10291, section 3.1).

    Raises:
        RowError: a function of the user's gave pieces that are not the text's.
        UserError: there is no such function.
    """
    how = how or SplitConfig()
    cut = KINDS[how.kind].cut(text, how) if how.kind in KINDS else own_pieces(text, how.kind)
    chunk = -(-len(cut) // (max_steps or how.max_steps))
    merged = [cut[i : i + chunk] for i in range(0, len(cut), chunk)]
    return [text[held[0].start : held[-1].end] for held in merged]


def places(text: str, steps: Sequence[str]) -> list[Place]:
    """The characters of each step in the text that they were cut from.

    Raises:
        ValueError: they are not its steps.
    """
    found, position = [], 0
    for step in steps:
        start = text.index(step, position)
        if text[position:start].strip():
            raise ValueError(f"the text has more than white space before the step {step[:40]!r}")
        position = start + len(step)
        found.append(Place(start, position))
    return found


def boundaries(text: str, steps: Sequence[str]) -> list[int]:
    """The character offset at which each step and its separator end; the last is the length of the text.

    A separator ends with its last line break: whoever continues the prefix begins on a new line. A space between two
    sentences belongs to the second, as it does in the tokens of most policies.
    """
    found = places(text, steps)
    ends = []
    for place, following in pairwise(found):
        gap = text[place.end : following.start]
        ends.append(place.end + gap.rfind("\n") + 1)
    return [*ends, len(text)]


def spans(ends: Sequence[int], offsets: Sequence[int]) -> list[Span]:
    """The token span of every step.

    Args:
        ends: for every token of the solution, the length of the text up to and including it.
        offsets: the `boundaries` of the steps.
    """
    result: list[Span] = []
    start = 0
    for index, offset in enumerate(offsets):
        if index + 1 == len(offsets):
            result.append(Span(start, len(ends), True))
            break
        token = bisect_left(ends, offset)
        exact = token < len(ends) and ends[token] == offset
        end = max(start, token + 1 if exact else token)
        result.append(Span(start, end, exact))
        start = end
    return result
