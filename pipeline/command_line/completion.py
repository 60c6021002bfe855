"""Completion in a shell: `completion`. The script that shtab writes is static: no program runs when Tab is pressed."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from pipeline.command_line.arguments import new_command

SHELLS = ("bash", "zsh", "fish")


def add(commands: Any) -> None:
    completion = new_command(
        commands,
        "completion",
        "print the script by which a shell completes commands, options and file names",
        "docs/command_line.md",
        [
            "bash > ~/.local/share/bash-completion/completions/visualprm",
            'zsh > "${fpath[1]}/_visualprm"',
            "fish > ~/.config/fish/completions/visualprm.fish",
        ],
    )
    completion.add_argument("shell", choices=SHELLS, help="the shell that is to complete")
    completion.set_defaults(command=_completion)


def _completion(options: argparse.Namespace) -> None:
    import shtab

    from pipeline.cli import make_parser

    parser = make_parser()
    for action in _actions(parser):
        # Most values are files and folders.
        if action.choices is None and action.nargs != 0:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(parser, shell=options.shell))


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Of the parser and of all that it leads to."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for part in action.choices.values():
                yield from _actions(part)
