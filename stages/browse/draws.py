"""The continuations after a step, grouped by what they end in, and where two of them part. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from stages.browse.collection import DrawView

SHOWN = 64
"""Different texts of a group that a page shows."""


@dataclass(frozen=True, slots=True)
class Text:
    """A continuation that was drawn `times` times. Its first `shared` characters are also the other group's."""

    draw: DrawView
    times: int
    shared: int


@dataclass(frozen=True, slots=True)
class Group:
    """Continuations with one answer and verdict: how many, their different texts, and how many of these are not shown."""

    answer: str | None
    status: str
    count: int
    texts: tuple[Text, ...]
    left_out: int


def groups(draws: Sequence[DrawView]) -> list[Group]:
    """The largest group first. The texts of the first are set against the second's, all others against the first's."""
    held: dict[tuple[str, str | None], list[DrawView]] = {}
    for draw in draws:
        held.setdefault((draw.status, draw.answer), []).append(draw)
    ordered = sorted(held.items(), key=lambda item: (-len(item[1]), item[0][0], item[0][1] or ""))
    made = []
    for number, ((status, answer), own) in enumerate(ordered):
        other = ordered[0 if number else 1][1] if len(ordered) > 1 else []
        first = {draw.text: draw for draw in reversed(own)}
        times = {text: sum(draw.text == text for draw in own) for text in first}
        against = list(dict.fromkeys(draw.text for draw in other))
        texts = tuple(
            Text(draw, times[text], max((shared(text, one) for one in against), default=0))
            for text, draw in first.items()
        )
        texts = tuple(sorted(texts, key=lambda one: (-one.times, -one.shared)))
        made.append(Group(answer, status, len(own), texts[:SHOWN], max(len(texts) - SHOWN, 0)))
    return made


def shared(one: str, other: str) -> int:
    """The length of what two texts have in common at their beginnings; a word that they part in is not in it."""
    length = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    cut = any(re.match(r"\w", text[length : length + 1]) for text in (one, other))
    return len(re.sub(r"\w+\Z", "", one[:length])) if cut else length
