"""The functions that add sections to a card: a config names them, and they are code that it runs."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.config import RunConfig
from pipeline.errors import UserError
from pipeline.functions import named_function

_KEY = "publish.card_sections"
_OURS = ("demo", "stages")
"""Packages that are installed with this program."""


def check_sections(config: RunConfig) -> None:
    """Imports the card's sections, so that a wrong name is told before any work.

    Raises:
        UserError: there is no such function.
    """
    for name in config.publish.card_sections:
        section(name)


def check_code(run: str, config: RunConfig) -> None:
    """For settings that came with a run, which somebody else may have made: nothing that they name is imported unasked.

    Raises:
        UserError: they name code that is not this program's.
    """
    for name in config.publish.card_sections:
        if name.partition(":")[0].partition(".")[0] not in _OURS:
            raise UserError(
                f"{run}: its {_KEY} names code, {name}: add --run-code if you trust it, or {_KEY}=[] to leave it out"
            )


def section(name: str) -> Callable[..., str]:
    """The function of that name.

    Raises:
        UserError: there is none.
    """
    return named_function(name, _KEY)
