"""Building a dataset: `dataset`, `status`, `publish`, `check`, `show`."""

from __future__ import annotations

import argparse
import re
from typing import Any

from pipeline.commands.arguments import takes_config
from pipeline.errors import UserError

_SETTING = re.compile(r"[A-Za-z_][\w.]*=")
"""What tells a setting from an address such as `s3://bucket/run?region=…`."""


def add(commands: Any) -> None:
    dataset = commands.add_parser("dataset", help="build a dataset, or go on with it")
    takes_config(dataset)
    dataset.set_defaults(command=_dataset, goes_on=True)

    status = commands.add_parser("status", help="how far a run is")
    status.add_argument("run", help="a run directory")
    status.set_defaults(command=_status)

    publish = commands.add_parser(
        "publish",
        help="write the dataset of a run again, with other labels or shards, or one of several runs",
        usage="%(prog)s [-h] [--reverify] RUN [RUN ...] [key.sub=value ...]",
    )
    publish.add_argument("words", nargs="+", metavar="RUN", help="run directories")
    publish.epilog = "Settings that can be given anew: label.*, publish.*, output_dir; several runs need output_dir."
    publish.add_argument(
        "--reverify",
        action="store_true",
        help="judge all stored draws anew, with verify.* and sources.N.verify as given, and say which labels flip",
    )
    publish.set_defaults(command=_publish)

    check = commands.add_parser("check", help="read every source and judge every gold answer, without an engine")
    takes_config(check)
    check.set_defaults(command=_check)

    show = commands.add_parser("show", help="one problem of a dataset, with its steps and scores")
    show.add_argument("dataset", help="a published dataset's folder")
    show.add_argument("--id", help="the beginning of a solution's or problem's id")
    show.add_argument("--draws", metavar="RUN", help="also show the draws, from this run directory")
    show.set_defaults(command=_show)


def _dataset(options: argparse.Namespace) -> None:
    from pipeline.config import load_config
    from pipeline.run import run_dataset

    run_dataset(load_config(options.config, options.overrides))


def _status(options: argparse.Namespace) -> None:
    from pipeline.status import status_text

    print(status_text(options.run))


def _publish(options: argparse.Namespace) -> None:
    from pipeline.publication import republish

    overrides = [word for word in options.words if _SETTING.match(word)]
    runs = [word for word in options.words if word not in overrides]
    if not runs:
        raise UserError("publish: name a run directory before the settings")
    republish(runs, overrides, options.reverify)


def _check(options: argparse.Namespace) -> None:
    from pipeline.config import load_config
    from pipeline.loading import check_sources

    print(check_sources(load_config(options.config, options.overrides)))


def _show(options: argparse.Namespace) -> None:
    from pipeline.show import show

    show(options.dataset, options.id, options.draws)
