"""What a run has made: `publish` writes its dataset again, `show` looks into one."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.command_line.arguments import new_command, settings_apart
from pipeline.errors import UserError


def add(commands: Any) -> None:
    publish = new_command(
        commands,
        "publish",
        "write a run's dataset again, with other labels or shards, one dataset from several runs, or a dataset with other labels",
        "docs/formats.md, docs/architecture.md",
        [
            "runs/demo label.threshold=0.25 output_dir=data/demo-strict",
            "runs/a runs/b output_dir=data/both",
            "runs/demo --reverify",
            "data/demo label.kind=judge output_dir=data/demo-judge",
        ],
        "Settings that you can change: label.*, publish.*, output_dir; several runs and a dataset need output_dir.",
        usage="%(prog)s [-h] [--reverify] [--run-code] RUN [RUN ...]|DATASET [key.sub=value ...]",
    )
    publish.add_argument(
        "words", nargs="+", metavar="RUN|DATASET", help="run directories, or a published dataset's folder"
    )
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

    show = new_command(
        commands,
        "show",
        "show one problem of a dataset, with its steps and scores",
        "docs/formats.md",
        ["data/demo", "data/demo --list --source demo/bars --label -", "data/demo --id 3f2a --draws runs/demo"],
        "The last line is the command that shows the next one.",
    )
    show.add_argument("dataset", help="a published dataset's folder")
    show.add_argument("--id", default="", help="the beginning of a solution's or problem's id")
    show.add_argument("--list", action="store_true", help="list problems instead, a line each")
    show.add_argument("--source", default="", help="only problems of this source, or of its parts: demo, demo/bars")
    show.add_argument(
        "--label",
        default="",
        choices=("+", "-", "none"),
        help="only problems with a step of this label (none: without)",
    )
    show.add_argument("--draws", metavar="RUN", help="also show the draws, from this run directory")
    show.set_defaults(command=_show)


def _publish(options: argparse.Namespace) -> None:
    from pipeline.store.dataset_files import is_dataset
    from stages.publish.dataset import republish
    from stages.publish.relabel import relabel

    runs, overrides = settings_apart(options.words, "publish", "a run directory or a dataset")
    if datasets := [each for each in runs if is_dataset(each)]:
        if len(runs) > 1 or options.reverify or options.run_code:
            raise UserError(
                f"{datasets[0]}: is a dataset, which has no draws: name it alone, with label.* and output_dir"
            )
        relabel(runs[0], overrides)
        return
    republish(runs, overrides, options.reverify, options.run_code)


def _show(options: argparse.Namespace) -> None:
    from stages.publish.pick import Wanted
    from stages.publish.show import list_problems, show

    wanted = Wanted(options.id, options.source, options.label)
    if not options.list:
        show(options.dataset, wanted, options.draws)
    elif options.draws:
        raise UserError("show: --list shows no draws: leave out --draws")
    else:
        list_problems(options.dataset, wanted)
