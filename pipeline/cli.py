"""The command line. Thin: it parses, calls, and turns errors into one line and a status."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence

from pipeline.errors import EngineDead, StartError, UserError
from pipeline.markdown import visible
from pipeline.stopping.signals import STOPPED, stop_by_signals

COMMANDS = (
    "stages.build.command",
    "stages.annotate.command",
    "stages.publish.command",
    "stages.load.command",
    "stages.plan.command",
    "stages.verify.command",
    "stages.exchange.command",
    "stages.train.command",
    "stages.reward.command",
    "stages.evaluate.command",
    "stages.best_of_n.command",
    "stages.frontier.command",
    "stages.browse.command",
    "stages.annotate_steps.command",
    "pipeline.reference.command",
)
"""The modules that register commands, in the order of `visualprm --help`. As text: the framework imports no stage.

Each has an `add`. A command that a stop does not set back says `goes_on`.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and exits: 0 done, 1 the engine died or Ray did not start, 2 user error, 130 stopped by the user."""
    options = _parse(arguments)
    command: Callable[[argparse.Namespace], None] = options.command
    stop_by_signals()
    try:
        command(options)
    except UserError as error:
        print(f"visualprm: {visible(str(error))}", file=sys.stderr)
        sys.exit(2)
    except EngineDead as error:
        print(f"visualprm: the engine died ({error}); the same command {_then(options)}", file=sys.stderr)
        sys.exit(1)
    except StartError as error:
        print(f"visualprm: {error}; the same command {_then(options)}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print(f"visualprm: stopped; the same command {_then(options)}", file=sys.stderr)
        sys.exit(STOPPED)
    except BrokenPipeError:
        sys.stderr.close()
    except OSError as error:
        from pipeline.store import store_refusal

        if (said := store_refusal(error)) is None:
            raise
        print(f"visualprm: {visible(said)}; the same command {_then(options)}", file=sys.stderr)
        sys.exit(1)


def _then(options: argparse.Namespace) -> str:
    return "resumes from here" if getattr(options, "goes_on", False) else "starts over"


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options. Overrides may also stand behind flags, where argparse gives up on them."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    takes = [name for name in ("overrides", "words") if hasattr(options, name)]
    if rest and (not takes or any(item.startswith("-") for item in rest)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        setattr(options, takes[0], [*getattr(options, takes[0]), *rest])
    return options


class _Version(argparse.Action):
    """Looks the versions up only where they are asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from pipeline.version import version_line

        print(version_line())
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="visualprm", description="Process supervision for multimodal reasoning.")
    parser.add_argument(
        "--version", action=_Version, nargs=0, help="versions of this program (with its commit if known), Ray and vLLM"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in COMMANDS:
        importlib.import_module(name).add(commands)
    return parser


if __name__ == "__main__":
    main()
