"""Functions that settings name as `module:function`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from pipeline.errors import UserError


def named_function(name: str, key: str) -> Callable[..., Any]:
    """The function that the setting or option `key` names.

    Raises:
        UserError: there is no such function.
    """
    module, _, function = name.partition(":")
    try:
        found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"{key}: {name!r} can't be imported ({error}): write it as module:function") from error
    return found
