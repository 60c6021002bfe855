"""Functions that settings name as `module:function`."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

from pipeline.errors import UserError


def named_function(name: str, key: str) -> Callable[..., Any]:
    """The function `name` that the setting or option `key` asks for.

    Raises:
        UserError: the module can't be imported, whatever it raises, or has no such function.
    """
    where = f"{key} {name}"
    module_name, colon, attribute = name.partition(":")
    if not (module_name and colon and attribute):
        raise UserError(f"{where}: write it as module:function")
    # A user's module lies where the command is called; an installed command doesn't look there by itself.
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise UserError(f"{where}: {module_name} can't be imported: {told(error)}; correct it") from error
    call: Callable[..., Any] | None = getattr(module, attribute, None)
    if not callable(call):
        raise UserError(f"{where}: {module_name} has no function {attribute!r}; correct the name")
    return call


def told(error: Exception) -> str:
    """What a user's function or module raised, in one line."""
    return f"{type(error).__name__}: {error}".partition("\n")[0]
