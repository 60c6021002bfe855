"""Weighing strategies against each other: `frontier`."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.command_line.arguments import new_command


def add(commands: Any) -> None:
    frontier = new_command(
        commands,
        "frontier",
        "compare what rollout strategies would have cost a run, and given",
        "docs/strategies.md",
        ["runs/demo", "runs/demo --oracle demo.checks.report:oracle"],
    )
    frontier.add_argument("run", help="a run directory with a `fixed` ledger")
    frontier.add_argument("--truth", metavar="RUN", help="a run of the same problems with more draws, as the true mc")
    frontier.add_argument(
        "--oracle", metavar="MODULE:FUNCTION", help="what says which steps are right (demo.checks.report:oracle)"
    )
    frontier.add_argument(
        "--out", metavar="FOLDER", help="the folder for table, figures and plot; by default in the run"
    )
    frontier.add_argument(
        "--runs", metavar="FOLDER", help="write the run that each strategy would have left, to publish"
    )
    frontier.set_defaults(command=_frontier)


def _frontier(options: argparse.Namespace) -> None:
    from pipeline.terminal.speak import tell
    from stages.frontier.run import frontier

    tell(frontier(options.run, options.truth, options.oracle, options.out, options.runs))
