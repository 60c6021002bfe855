"""The command line. Thin: it parses, calls, and turns errors into one line and a status."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Sequence

from pipeline.command_line.answer import Answer, only_on_stderr, to_json
from pipeline.command_line.ending import one_line_errors
from pipeline.command_line.parser import EXAMPLE, Parser, parse
from pipeline.errors import UserError
from pipeline.markdown import visible
from pipeline.stopping.signals import stop_by_signals

COMMANDS = (
    "stages.build.command",
    "stages.annotate.command",
    "stages.judge.command",
    "stages.publish.command",
    "stages.load.command",
    "stages.plan.command",
    "stages.verify.command",
    "stages.exchange.command",
    "stages.train.command",
    "stages.reward.command",
    "stages.evaluate.command",
    "stages.label_kinds.command",
    "stages.best_of_n.command",
    "stages.frontier.command",
    "stages.browse.command",
    "stages.annotate_steps.command",
    "pipeline.reference.command",
    "pipeline.command_line.completion",
)
"""The modules that register commands, in the order of `visualprm --help`. As text: the framework imports no stage.

Each has an `add`. A command that a stop does not set back says `goes_on`. It prints as it goes, or returns an `Answer`.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and exits: 0 done, 2 the user must change something, 1 the same command may do it, 130 stopped."""
    options = parse(make_parser(), arguments)
    stop_by_signals()
    with one_line_errors("visualprm", getattr(options, "goes_on", False)):
        _run(options)


def _run(options: argparse.Namespace) -> None:
    command: Callable[[argparse.Namespace], Answer | None] = options.command
    if getattr(options, "json", False):
        with only_on_stderr():
            answer = command(options)
        text = to_json(answer.data) if answer else ""
    else:
        answer = command(options)
        text = visible(answer.text) if answer else ""
    if answer:
        print(text, flush=True)
        if answer.wrong:
            raise UserError(answer.wrong)


class _Version(argparse.Action):
    """Looks the versions up only where they are asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from pipeline.version import version_line

        print(version_line())
        parser.exit()


def make_parser() -> Parser:
    """The parser of all commands."""
    parser = Parser(
        prog="visualprm",
        description="Train and use a model that scores every reasoning step of a vision-language model.",
        epilog=f"begin with:\n{EXAMPLE}visualprm dataset configs/demo.yaml\n{EXAMPLE}visualprm show data/demo\n\n"
        "more: README.md, docs/README.md; exit statuses, --json and completion: docs/command_line.md",
    )
    parser.add_argument(
        "--version", action=_Version, nargs=0, help="versions of this program (with its commit if known), Ray and vLLM"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in COMMANDS:
        importlib.import_module(name).add(commands)
    return parser


if __name__ == "__main__":
    main()
