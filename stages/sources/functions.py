"""Rows from a Python function, the door for everything that is not a file: `module:function`."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pipeline.errors import UserError
from stages.sources.rows import Row, Rows


def open_function(name: str, function: str, kwargs: Mapping[str, Any]) -> Rows:
    """Calls `function` with `kwargs`; it yields one dict a problem, with the names of the field map."""
    where = f"source {name!r}, function {function}"
    call = _find(function, where)
    try:
        inspect.signature(call).bind(**kwargs)
    except TypeError as error:
        raise UserError(f"{where}: {error}; correct `kwargs`") from error
    try:
        rows = call(**kwargs)
    except Exception as error:
        raise UserError(f"{where}: raised {_told(error)}; mend the function or its `kwargs`") from error
    if not isinstance(rows, Iterable):
        raise UserError(f"{where}: gave a {type(rows).__name__}; it must yield or return rows")
    return Rows(_rows(rows, where), lambda: None)


def _rows(rows: Iterable[Any], where: str) -> Iterator[Row]:
    number = 0
    try:
        for number, row in enumerate(rows, 1):
            yield number, row
    except Exception as error:
        raise UserError(f"{where}: raised {_told(error)} after {number} rows; mend the function") from error


def _find(function: str, where: str) -> Callable[..., Any]:
    module_name, colon, attribute = function.partition(":")
    if not (module_name and colon and attribute):
        raise UserError(f"{where}: write it as module:function")
    # A user's module lies where the command is called; an installed command doesn't look there by itself.
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise UserError(f"{where}: {module_name} can't be imported: {_told(error)}; correct it") from error
    call: Callable[..., Any] | None = getattr(module, attribute, None)
    if not callable(call):
        raise UserError(f"{where}: {module_name} has no function {attribute!r}; correct the name")
    return call


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0]
