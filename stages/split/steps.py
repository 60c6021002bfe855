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
from stages.split.thinking import parts


@dataclass(frozen=True, slots=True)
class Span:
    """The tokens `[start, end)` of a step and its separator.

    `exact` is false where the token at `end` holds both the end of this separator and text of the next step:
    then the span stops before that token.
    """

    start: int
    end: int
    exact: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """A step's text; `context` says that it stands in the part that `split.part` leaves out, whole."""

    text: str
    context: bool = False


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
    return [piece.text for piece in steps_of(text, how, max_steps)]


def steps_of(text: str, how: SplitConfig | None = None, max_steps: int | None = None) -> list[Piece]:
    """As `split`, with what is context: the part that `how.part` leaves out is one step beside those of the other part.

    Raises:
        RowError, UserError: as `split`.
    """
    how = how or SplitConfig()
    most = max_steps or how.max_steps
    if how.part == "all":
        return [Piece(text[place.start : place.end]) for place in _merged(_cut(text, how), most)]
    found = parts(text, bool(how.opened))
    if how.part == "answer":
        places = [(found.thinking, True), *((place, False) for place in _inside(text, found.answer, how, most))]
    else:
        own = _inside(text, found.inside, how, most)
        if own:
            # The tags belong to the steps that they stand beside.
            own[0] = Place(found.thinking.start, own[0].end)
            own[-1] = Place(own[-1].start, found.thinking.end)
        places = [*((place, False) for place in own), (found.answer if own else Place(0, len(text)), True)]
    kept = [(place, context) for place, context in places if text[place.start : place.end].strip()]
    if not kept:
        return [Piece(text, True)]
    # White space at the edges of the response belongs to its first and its last step.
    kept[0] = (Place(0, kept[0][0].end), kept[0][1])
    kept[-1] = (Place(kept[-1][0].start, len(text)), kept[-1][1])
    return [Piece(text[place.start : place.end], context) for place, context in kept]


def context_in(text: str, how: SplitConfig, count: int) -> frozenset[int]:
    """The indices of the steps that are context, of a text that was cut into `count` steps as `how` says.

    What `how.kind` names is not called: the pool may be somebody else's, and with it the code.
    """
    if how.part == "all":
        return frozenset()
    # The other part is one step, the first or the last, wherever the steps of this one are cut.
    coarse = steps_of(text, how.model_copy(update={"kind": "blank_lines"}), max_steps=1)
    places = (0, count - 1) if len(coarse) > 1 else (0,)
    return frozenset(place for place, piece in zip(places, coarse, strict=True) if piece.context)


def _inside(text: str, part: Place, how: SplitConfig, most: int) -> list[Place]:
    """The steps of a part, at their places in the whole text, without the white space at its edges."""
    piece = text[part.start : part.end]
    if not (bare := piece.strip()):
        return []
    first = part.start + len(piece) - len(piece.lstrip())
    return [Place(first + place.start, first + place.end) for place in _merged(_cut(bare, how), most)]


def _cut(text: str, how: SplitConfig) -> list[Place]:
    return KINDS[how.kind].cut(text, how) if how.kind in KINDS else own_pieces(text, how.kind)


def _merged(found: list[Place], most: int) -> list[Place]:
    chunk = -(-len(found) // most)
    groups = [found[i : i + chunk] for i in range(0, len(found), chunk)]
    return [Place(held[0].start, held[-1].end) for held in groups]


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
