"""One line for what was mistyped, naming what was probably meant; and every command's help."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator

import pytest

from pipeline.cli import make_parser
from pipeline.command_line.parser import EXAMPLE, Parser, parse
from tests.places import ROOT


def parsed(*arguments: str) -> argparse.Namespace:
    return parse(make_parser(), arguments)


def commands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Every command and every part of one."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield command
                yield from commands(command)


def test_settings_stand_before_or_behind_flags() -> None:
    options = parsed("publish", "runs/x", "label.threshold=0.5", "--reverify", "verify.compat=internvl", "output_dir=y")
    assert options.reverify
    assert options.words == ["runs/x", "label.threshold=0.5", "verify.compat=internvl", "output_dir=y"]
    assert parsed("plan", "x.yaml", "--gpu", "h100", "seed=1").overrides == ["seed=1"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("plna x.yaml", "visualprm: no command plna (did you mean 'plan'?); see visualprm --help"),
        ("zzz", "visualprm: no command zzz; see visualprm --help"),
        ("bon repot x", "visualprm bon: no part repot (did you mean 'report'?); see visualprm bon --help"),
        (
            "plan x.yaml --gpus=h100",
            "visualprm plan: no option --gpus (did you mean '--gpu'?); settings are written as key.sub=value; "
            "see visualprm plan --help",
        ),
        (
            "score prm x.jsonl --overwite",
            "visualprm score: no option --overwite (did you mean '--overwrite'?); see visualprm score --help",
        ),
        (
            "serve prm --backend vlm",
            "visualprm serve: argument --backend: vlm is none of hf, vllm (did you mean 'vllm'?); see visualprm serve --help",
        ),
        ("status runs/x more", "visualprm status: too many arguments: more; see visualprm status --help"),
    ],
)
def test_what_no_command_knows_is_one_line_with_what_was_meant(
    arguments: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        parsed(*arguments.split())
    assert capsys.readouterr().err == f"{line}\n"


@pytest.mark.parametrize("command", list(commands(make_parser())), ids=lambda command: command.prog)
def test_every_help_has_examples_that_parse_and_a_page_that_is_there(command: Parser) -> None:
    how = "declare it with pipeline.command_line.arguments.new_command"
    assert command.epilog, how
    examples = [line for line in command.epilog.splitlines() if line.startswith(EXAMPLE)]
    assert examples, how
    for example in examples:
        words = shlex.split(example.partition(" > ")[0])
        assert words[0] == "visualprm"
        if words[-1] != "--help":
            assert parsed(*words[1:]).parser.prog.startswith(command.prog)
    pages = command.epilog.rpartition("more: ")[2].split(", ")
    assert [page for page in pages if not (ROOT / page).is_file()] == []
    assert command.description


def test_every_option_and_argument_is_explained() -> None:
    silent = [
        f"{command.prog} {action.option_strings or action.dest}"
        for command in commands(make_parser())
        for action in command._actions
        if not action.help and not isinstance(action, argparse._SubParsersAction)
    ]
    assert silent == []
