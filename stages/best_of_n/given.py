"""Candidates as a file gives them: what a row says of responses and of verdicts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pipeline.errors import RowError
from pipeline.records import FinishReason
from stages.load.sources.literals import structured
from stages.load.sources.values import absent, truth_value

RESPONSES = ("responses", "response")
"""Columns of a row's candidates: a list, or one."""
TEXTS = ("response", "text")
"""Keys of a candidate that is an object."""
CORRECT, FINISH_REASON = "correct", "finish_reason"
_KNOWN = {1: True, 0: False}


@dataclass(frozen=True, slots=True)
class Given:
    """A response; `correct` is the file's verdict, null where it has none."""

    text: str
    correct: bool | None = None
    finish_reason: FinishReason = "stop"


@dataclass(frozen=True, slots=True)
class Columns:
    """Where a row has its responses and verdicts; `response` null stands for `RESPONSES`."""

    response: str | None = None
    correct: str = CORRECT

    @property
    def names(self) -> frozenset[str]:
        """Every column that speaks of candidates, and not of the problem."""
        return frozenset({*((self.response,) if self.response else RESPONSES), self.correct, FINISH_REASON})

    def read(self, row: Any) -> list[Given]:
        """The candidates of a row, in its order.

        Raises:
            RowError: there is none, one is no text, or verdicts don't fit them.
        """
        if isinstance(row, RowError):
            raise row
        if not isinstance(row, Mapping):
            raise RowError("wrong_type", f"the row is {type(row).__name__}, not an object")
        name = self.response or next((name for name in RESPONSES if not absent(row.get(name))), RESPONSES[-1])
        # A table's cell can hold a list as text only; a response may look like one.
        value = structured(row.get(name)) if name == RESPONSES[0] else row.get(name)
        if absent(value):
            raise RowError("no_response", f"the row has no {name!r}: name the column by --response")
        if not isinstance(value, (list, tuple)):
            return [_one(value, name, row.get(self.correct), row.get(FINISH_REASON))]
        verdicts = _for_each(row.get(self.correct), len(value), self.correct)
        reasons = _for_each(row.get(FINISH_REASON), len(value), FINISH_REASON)
        found = [_one(item, name, *both) for item, *both in zip(value, verdicts, reasons, strict=True)]
        if not found:
            raise RowError("no_response", f"{name!r} is an empty list")
        return found


def _for_each(value: Any, count: int, name: str) -> list[Any]:
    value = structured(value)
    if absent(value) or value == "":
        return [None] * count
    if not isinstance(value, (list, tuple)) or len(value) != count:
        raise RowError("verdicts_do_not_fit", f"{name!r} must be a list with one value for each of {count} responses")
    return list(value)


def _one(value: Any, name: str, correct: Any, finish_reason: Any) -> Given:
    if isinstance(value, Mapping):
        key = next((key for key in TEXTS if key in value), TEXTS[0])
        return _one(value.get(key), key, value.get(CORRECT), value.get(FINISH_REASON))
    if not isinstance(value, str):
        raise RowError("no_response", f"{name!r} holds {type(value).__name__}, not text")
    ended: Any = "stop" if absent(finish_reason) or finish_reason == "" else finish_reason
    if ended not in get_args(FinishReason):
        raise RowError("wrong_type", f"finish_reason {ended!r} is none of {', '.join(get_args(FinishReason))}")
    return Given(value, _verdict(correct), ended)


def _verdict(value: Any) -> bool | None:
    if absent(value) or value == "":
        return None
    if isinstance(value, str):
        value = {"1": True, "0": False}.get(value.strip(), truth_value(value))
    if isinstance(value, (bool, int, float)) and value in _KNOWN:
        return _KNOWN[int(value)]
    raise RowError("wrong_type", "a verdict is true, false or null: 1 and 0 stand for the first two")
