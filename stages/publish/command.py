"""What a run has made: `publish` writes its dataset again, `show` looks into one."""

from __future__ import annotations

import argparse
import re
from typing import Any

from pipeline.errors import UserError

_SETTING = re.compile(r"[A-Za-z_][\w.]*=")
"""What tells a setting from an address such as `s3://bucket/run?region=…`."""


def add(commands: Any) -> None:
    publish = commands.add_parser(
        "publish",
        help="write a run's dataset again, with other labels or shards, or one dataset from several runs",
        usage="%(prog)s [-h] [--reverify] RUN [RUN ...] [key.sub=value ...]",
    )
    publish.add_argument("words", nargs="+", metavar="RUN", help="run directories")
    publish.epilog = "Settings that you can change: label.*, publish.*, output_dir; several runs need output_dir."
    publish.add_argument(
        "--reverify",
        action="store_true",
        help="judge all stored draws again, with verify.* and sources.N.verify as given, and count the labels that change",
    )
    publish.add_argument(
        "--run-code",
        action="store_true",
        help="run the functions that publish.card_sections of the run names, which may be somebody else's code",
    )
    publish.set_defaults(command=_publish)

    show = commands.add_parser("show", help="show one problem of a dataset, with its steps and scores")
    show.add_argument("dataset", help="a published dataset's folder")
    show.add_argument("--id", help="the beginning of a solution's or problem's id")
    show.add_argument("--draws", metavar="RUN", help="also show the draws, from this run directory")
    show.set_defaults(command=_show)


def _publish(options: argparse.Namespace) -> None:
    from stages.publish.dataset import republish

    overrides = [word for word in options.words if _SETTING.match(word)]
    runs = [word for word in options.words if word not in overrides]
    if not runs:
        raise UserError("publish: name a run directory before the settings")
    republish(runs, overrides, options.reverify, options.run_code)


def _show(options: argparse.Namespace) -> None:
    from stages.publish.show import show

    show(options.dataset, options.id, options.draws)
