"""Checks that every format shares: a record comes from a file that anyone may have written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pipeline.errors import RowError

Kind = TypeVar("Kind")


def get(record: Any, key: str, kind: type[Kind]) -> Kind:
    """The value of a key that must be there.

    Raises:
        RowError: `missing_field` or `wrong_type`.
    """
    # A look at the type itself first: this is asked for every step of a corpus.
    if type(record) is not dict and not isinstance(record, Mapping):
        raise RowError("not_an_object", f"{type(record).__name__}, not a JSON object")
    if key not in record:
        raise RowError("missing_field", key)
    value = record[key]
    if not isinstance(value, kind):
        raise RowError("wrong_type", f"{key} is {type(value).__name__}, not {kind.__name__}")
    return value


def image_names(value: Any) -> tuple[str, ...]:
    """The paths in a record's `image`: one, a list (NLVR2 has two), lists in a list, or null for none.

    Raises:
        RowError: it is something else.
    """
    if value is None:
        return ()
    if isinstance(value, list):
        return tuple(name for each in value for name in image_names(each))
    if not isinstance(value, str) or not value:
        raise RowError("wrong_type", "image is neither a path nor a list of paths")
    return (value,)
