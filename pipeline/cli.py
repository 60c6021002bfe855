"""The command line. Thin: it parses, calls, and turns errors into one line and a status."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence

from pipeline.errors import UserError


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and exits: 0 done, 2 user error, 130 stopped by the user."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], None] = options.command
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        command(options)
    except UserError as error:
        print(f"visualprm: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("visualprm: stopped; the same command goes on from here", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="visualprm", description="Process supervision for multimodal reasoning.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    dataset = commands.add_parser("dataset", help="build a dataset, or go on with it")
    _takes_config(dataset)
    dataset.set_defaults(command=_dataset)

    status = commands.add_parser("status", help="how far a run is")
    status.add_argument("run", help="a run directory")
    status.set_defaults(command=_status)

    publish = commands.add_parser("publish", help="write the dataset of a run again, with other labels or shards")
    publish.add_argument("run", help="a run directory")
    publish.add_argument("overrides", nargs="*", metavar="key.sub=value", help="label.* and publish.* settings")
    publish.set_defaults(command=_publish)

    check = commands.add_parser("check", help="read every source and judge every gold answer, without an engine")
    _takes_config(check)
    check.set_defaults(command=_check)

    verify = commands.add_parser("verify", help="judge a file of responses against their gold answers")
    verify.add_argument("file", help="JSON lines with `answer`, `response` and maybe `options`, `verify`, `correct`")
    verify.add_argument("--modes", default="choice,number,math,text", help="modes of rows that name none")
    verify.set_defaults(command=_verify)

    show = commands.add_parser("show", help="one problem of a dataset, with its steps and scores")
    show.add_argument("dataset", help="a published dataset's folder")
    show.add_argument("--id", help="the beginning of a solution's or problem's id")
    show.add_argument("--draws", metavar="RUN", help="also show the draws, from this run directory")
    show.set_defaults(command=_show)
    return parser


def _takes_config(command: argparse.ArgumentParser) -> None:
    command.add_argument("config", help="a YAML file")
    command.add_argument("overrides", nargs="*", metavar="key.sub=value", help="settings that replace the file's")


def _dataset(options: argparse.Namespace) -> None:
    from pipeline.config import load_config
    from pipeline.run import run_dataset

    run_dataset(load_config(options.config, options.overrides))


def _status(options: argparse.Namespace) -> None:
    from pipeline.status import status_text

    print(status_text(options.run))


def _publish(options: argparse.Namespace) -> None:
    from pipeline.publication import republish

    republish(options.run, options.overrides)


def _check(options: argparse.Namespace) -> None:
    from pipeline.config import load_config
    from pipeline.loading import check_sources

    print(check_sources(load_config(options.config, options.overrides)))


def _verify(options: argparse.Namespace) -> None:
    from stages.verify.report import agreement, table, verify_file

    print(table(agreement(list(verify_file(options.file, options.modes.split(","))))))


def _show(options: argparse.Namespace) -> None:
    from pipeline.show import show

    show(options.dataset, options.id, options.draws)


if __name__ == "__main__":
    main()
