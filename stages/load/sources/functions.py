"""Rows from a Python function, the door for everything that is not a file: `module:function`."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipeline.errors import UserError
from pipeline.functions import named_function, told
from stages.load.sources.rows import Row, Rows


def open_function(name: str, function: str, kwargs: Mapping[str, Any]) -> Rows:
    """Calls `function` with `kwargs`; it yields one dict a problem, with the names of the field map."""
    key = f"source {name!r}, function"
    call, where = named_function(function, key), f"{key} {function}"
    try:
        inspect.signature(call).bind(**kwargs)
    except TypeError as error:
        raise UserError(f"{where}: {error}; correct `kwargs`") from error
    try:
        rows = call(**kwargs)
    except Exception as error:
        raise UserError(f"{where}: raised {told(error)}; fix the function or its `kwargs`") from error
    if not isinstance(rows, Iterable):
        raise UserError(f"{where}: gave a {type(rows).__name__}; it must yield or return rows")
    return Rows(_rows(rows, where), lambda: None)


def _rows(rows: Iterable[Any], where: str) -> Iterator[Row]:
    number = 0
    try:
        for number, row in enumerate(rows, 1):
            yield number, row
    except Exception as error:
        raise UserError(f"{where}: raised {told(error)} after {number} rows; fix the function") from error
