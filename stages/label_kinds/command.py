"""Weighing kinds of labels against each other: `label-kinds`."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.command_line.answer import Answer
from pipeline.command_line.arguments import new_command, takes_json


def add(commands: Any) -> None:
    kinds = new_command(
        commands,
        "label-kinds",
        "compare what each kind of label keeps of a run's or dataset's steps, and whom it agrees with",
        "docs/label_kinds.md",
        ["runs/demo", "runs/demo --oracle demo.checks.report:oracle --oracle demo.checks.report:step_oracle"],
    )
    kinds.add_argument("solutions", metavar="RUN|DATASET", help="a run directory, or a published dataset's folder")
    kinds.add_argument(
        "overrides", nargs="*", metavar="label.key=value", help="settings that replace those of the run or dataset"
    )
    kinds.add_argument("--judge", metavar="NAME", help="the judge, if several have judged and label.judge chooses none")
    kinds.add_argument(
        "--oracle",
        metavar="MODULE:FUNCTION",
        action="append",
        default=[],
        help="what says which steps are right (demo.checks.report:oracle); may be given several times",
    )
    takes_json(kinds)
    kinds.set_defaults(command=_kinds)


def _kinds(options: argparse.Namespace) -> Answer:
    from stages.label_kinds.report import text
    from stages.label_kinds.run import compared

    found = compared(options.solutions, options.overrides, options.judge, options.oracle)
    return Answer(text(found), found)
