"""Cuts a response into steps, without losing a character, and finds the tokens of each step."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.records import SEPARATOR


@dataclass(frozen=True, slots=True)
class Span:
    """The tokens `[start, end)` of a step and its separator.

    `exact` is false where the token at `end` holds both the end of this separator and text of the next step:
    then the span stops before that token.
    """

    start: int
    end: int
    exact: bool


def split(text: str, max_steps: int) -> list[str]:
    """Cuts on blank lines and merges evenly down to at most `max_steps` steps.

    `SEPARATOR.join(split(text, m)) == text` for every text. A piece without visible characters stays with the
    step before it (the first with the one after it). Merging joins chunks of `ceil(count / max_steps)` pieces,
    as the reference does, so 13 pieces with `max_steps=12` become 7 steps (arXiv 2503.10291, section 3.1).
    """
    steps: list[str] = []
    for piece in text.split(SEPARATOR):
        if steps and (not piece.strip() or not steps[-1].strip()):
            steps[-1] += SEPARATOR + piece
        else:
            steps.append(piece)
    chunk = -(-len(steps) // max_steps)
    return [SEPARATOR.join(steps[i : i + chunk]) for i in range(0, len(steps), chunk)]


def boundaries(steps: Sequence[str]) -> list[int]:
    """The character offset at which each step and its separator end; the last is the length of the text."""
    offsets, position = [], 0
    for index, step in enumerate(steps):
        position += len(step) + (len(SEPARATOR) if index + 1 < len(steps) else 0)
        offsets.append(position)
    return offsets


def spans(steps: Sequence[str], ends: Sequence[int]) -> list[Span]:
    """The token span of every step.

    Args:
        steps: the output of `split`.
        ends: for every token of the solution, the length of the text up to and including it.
    """
    result: list[Span] = []
    start = 0
    for index, offset in enumerate(boundaries(steps)):
        if index + 1 == len(steps):
            result.append(Span(start, len(ends), True))
            break
        token = bisect_left(ends, offset)
        exact = token < len(ends) and ends[token] == offset
        end = max(start, token + 1 if exact else token)
        result.append(Span(start, end, exact))
        start = end
    return result
