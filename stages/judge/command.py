"""A second opinion: `judge`."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.command_line.answer import Answer
from pipeline.command_line.arguments import new_command, takes_json


def add(commands: Any) -> None:
    judge = new_command(
        commands,
        "judge",
        "let a model say of every step of a run's or dataset's solutions whether it is right",
        "docs/label_kinds.md",
        ["runs/demo --with judge.yaml", "data/demo --with configs/judge_scripted.yaml judge.votes=3"],
        "The same command goes on. `visualprm publish RUN|DATASET label.kind=consensus` uses what it says.",
    )
    judge.add_argument(
        "solutions", metavar="RUN|DATASET", help="a finished run's directory, or a published dataset's folder"
    )
    judge.add_argument(
        "--with",
        dest="judge",
        metavar="FILE",
        required=True,
        help="a YAML file with the judge's name, engine.* and judge.* (docs/settings.md)",
    )
    judge.add_argument("overrides", nargs="*", metavar="key.sub=value", help="settings that replace the file's")
    takes_json(judge)
    judge.set_defaults(command=_judge, goes_on=True)


def _judge(options: argparse.Namespace) -> Answer:
    from stages.judge.run import judge_solutions

    found = judge_solutions(options.solutions, options.judge, options.overrides)
    return Answer(found.text(), found.row())
