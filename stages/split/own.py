"""A user's own way to cut: `split.kind: module:function`."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pipeline.errors import RowError
from pipeline.functions import named_function, told
from stages.split.pieces import Place

_KEY = "split.kind"


def check_kind(kind: str) -> None:
    """Imports a user's function, so that a wrong name is told before any work.

    Raises:
        UserError: there is no such function.
    """
    if ":" in kind:
        _function(kind)


def own_pieces(text: str, kind: str) -> list[Place]:
    """What the function gives for a text: its pieces in order, with nothing but white space between them.

    White space before the first piece and after the last belongs to them; blank pieces count for nothing.

    Raises:
        RowError: it failed, or gave something else.
        UserError: there is no such function.
    """
    call = _function(kind)
    try:
        given = list(call(text))
    except Exception as error:
        raise RowError("split_failed", f"{kind} raised {told(error)}") from error
    if not text.strip():
        return [Place(0, len(text))]
    found: list[Place] = []
    position = 0
    for number, piece in enumerate(given, start=1):
        if not isinstance(piece, str):
            raise RowError("split_failed", f"{kind} gave {type(piece).__name__} as piece {number}: give texts")
        if not (bare := piece.strip()):
            continue
        start = text.find(bare, position)
        if start < 0 or text[position:start].strip():
            raise RowError("split_failed", f"{kind}: piece {number} does not follow in the text: {bare[:60]!r}")
        position = start + len(bare)
        found.append(Place(start, position))
    if text[position:].strip():
        raise RowError("split_failed", f"{kind} left out text: {text[position:].strip()[:60]!r}")
    found[0] = Place(0, found[0].end)
    found[-1] = Place(found[-1].start, len(text))
    return found


@lru_cache(maxsize=8)
def _function(kind: str) -> Any:
    return named_function(kind, _KEY)
