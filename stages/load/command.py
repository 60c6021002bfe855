"""Reading sources without an engine: `check`, and `add` for a new one."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.command_line.answer import Answer
from pipeline.command_line.arguments import new_command, settings_apart, takes_config, takes_json


def add(commands: Any) -> None:
    check = new_command(
        commands,
        "check",
        "read every source and judge every gold answer, without an engine",
        "docs/adding_a_source.md",
        ["mine.yaml", "configs/demo.yaml sources.0.limit=10"],
    )
    takes_config(check)
    takes_json(check)
    check.set_defaults(command=_check)

    new = new_command(
        commands,
        "add",
        "look at a benchmark's files and write the config that reads them",
        "docs/adding_a_source.md",
        ["mine/questions.jsonl --images mine/images", "AI4Math/MathVista split=testmini --name mathvista"],
        "Settings such as fields.answer=label or split=test are taken as they are; the command finds the others.",
        usage="%(prog)s [-h] [--images PLACE] [--name NAME] [--out FILE] PATH|HUB_ID [PATH] [key.sub=value ...]",
    )
    new.add_argument(
        "words",
        nargs="+",
        metavar="PATH",
        help="a file, folder, pattern or hub dataset; or two files that belong together",
    )
    new.add_argument(
        "--images", metavar="PLACE", help="the folder, .zip or .tar of the pictures, if not beside the rows"
    )
    new.add_argument("--name", help="the source's name; its file's by default")
    new.add_argument("--out", metavar="FILE", help="the config to write; NAME.yaml by default")
    new.set_defaults(command=_add)


def _add(options: argparse.Namespace) -> None:
    from pipeline.settings import override
    from stages.load.add.report import add_source

    paths, settings = settings_apart(options.words, "add", "a file, folder or dataset")
    given: dict[str, Any] = {}
    for setting in settings:
        override(given, setting)
    add_source(paths, options.images, options.name, options.out, given)


def _check(options: argparse.Namespace) -> Answer:
    from pipeline.config import load_config
    from stages.load.check import check_sources

    return check_sources(load_config(options.config, options.overrides))
