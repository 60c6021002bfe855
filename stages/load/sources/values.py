"""Single values of a row."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from pipeline.errors import RowError


def absent(value: Any) -> bool:
    """None, or the NaN that data frames write for it."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def truth_value(text: str) -> bool | None:
    """What a table's text for a truth value says, None of any other text."""
    return {"true": True, "false": False}.get(text.strip().lower())


def scalar(field: str, value: Any) -> str:
    """A text or number as text without outer blanks.

    Raises:
        RowError: it is neither.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if absent(value):
            raise RowError("wrong_type", f"{field} holds NaN, which stands for nothing")
        return str(value)
    return text(field, value).strip()


def text(field: str, value: Any) -> str:
    """A text as it is.

    Raises:
        RowError: it is none, or can't be written.
    """
    if not isinstance(value, str):
        raise RowError("wrong_type", f"{field} is {type(value).__name__}, not text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise RowError("not_utf8", f"{field} holds half a character (a lone surrogate)") from error
    return value


def as_json(rest: Mapping[str, Any]) -> str:
    """The columns that JSON can hold, as an object."""
    kept = {key: value for key, value in rest.items() if isinstance(key, str) and _is_json(key, value)}
    return json.dumps(kept, ensure_ascii=False, sort_keys=True)


def _is_json(key: str, value: Any) -> bool:
    try:
        json.dumps({key: value}, ensure_ascii=False, allow_nan=False, sort_keys=True).encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return True
