"""argparse with errors of one line that name what was probably meant."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from pipeline.errors import did_you_mean

EXAMPLE = "  "
"""What stands before an example in a help."""


class Parser(argparse.ArgumentParser):
    """The parser of the program, of a command, and of a part of one. `parser` of the options is the innermost."""

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **options)
        self.set_defaults(parser=self)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")

    def unknown(self, flag: str, hint: str = "") -> NoReturn:
        """Ends the program because of a flag that the command does not have."""
        self.error(f"no option {flag}{did_you_mean(flag, self._option_string_actions)}{hint}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        if isinstance(action, argparse._SubParsersAction):
            name = str(action.metavar or "command").lower()
            raise argparse.ArgumentError(None, f"no {name} {value}{did_you_mean(value, action.choices)}")
        known = ", ".join(map(str, action.choices))
        raise argparse.ArgumentError(
            action, f"{value} is none of {known}{did_you_mean(str(value), map(str, action.choices))}"
        )


def parse(parser: Parser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options. Settings and words may also stand behind flags, where argparse gives up on them."""
    options, rest = parser.parse_known_args(arguments)
    takes = [name for name in ("overrides", "words") if hasattr(options, name)]
    command: Parser = options.parser
    for item in rest:
        if item.startswith("-"):
            command.unknown(item.partition("=")[0], "; settings are written as key.sub=value" if takes else "")
    if rest and not takes:
        command.error(f"too many arguments: {' '.join(rest)}")
    if rest:
        setattr(options, takes[0], [*getattr(options, takes[0]), *rest])
    return options
