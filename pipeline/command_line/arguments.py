"""How a command is declared, and arguments that several of them share."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Sequence
from typing import Any

from pipeline.command_line.parser import EXAMPLE, Parser
from pipeline.errors import UserError

WIDTH = 100
"""Columns of a help's own text."""
_SETTING = re.compile(r"[A-Za-z_][\w.]*=")
"""What tells a setting from an address such as `s3://bucket/run?region=…`."""


def new_command(
    commands: Any, name: str, does: str, page: str, examples: Sequence[str], note: str = "", **options: Any
) -> Parser:
    """A command with its help: what it does, examples to paste, and where to read on.

    Args:
        commands: the subparsers that it joins.
        does: a sentence without its capital and its stop.
        page: files that say more, as README.md or docs/planning.md.
        examples: what stands behind the command's name.
        note: a sentence more.
        options: of `argparse.ArgumentParser`.
    """
    command: Parser = commands.add_parser(name, help=does, **options)
    sentence = f"{does[0].upper()}{does[1:]}. {note}".rstrip()
    command.description = textwrap.fill(sentence, WIDTH)
    lines = "\n".join(f"{EXAMPLE}{command.prog} {example}".rstrip() for example in examples)
    command.epilog = f"{'examples' if len(examples) > 1 else 'example'}:\n{lines}\n\nmore: {page}"
    return command


def takes_config(command: argparse.ArgumentParser, such_as: str = "configs/demo.yaml") -> None:
    command.add_argument("config", help=f"a YAML file: yours, or one of the package ({such_as})")
    command.add_argument("overrides", nargs="*", metavar="key.sub=value", help="settings that replace the file's")


def settings_apart(words: Sequence[str], command: str, wanted: str) -> tuple[list[str], list[str]]:
    """The words that are no settings, and those that are (`key.sub=value`).

    Raises:
        UserError: there are none of the former, of which the `command` needs `wanted`.
    """
    others = [word for word in words if not _SETTING.match(word)]
    if not others:
        raise UserError(f"{command}: name {wanted} before the settings")
    return others, [word for word in words if _SETTING.match(word)]


def takes_backend(command: argparse.ArgumentParser) -> None:
    """Of commands that load reward models."""
    command.add_argument(
        "--backend", choices=["hf", "vllm"], default="hf", help="what runs the model: transformers (hf) or vLLM"
    )


def takes_json(command: argparse.ArgumentParser) -> None:
    """Of commands that give an `Answer`."""
    command.add_argument(
        "--json", action="store_true", help="print one JSON object instead; docs/command_line.md has its keys"
    )
