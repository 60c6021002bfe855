"""Watching a run: `status`."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.command_line.answer import Answer
from pipeline.command_line.arguments import new_command, takes_json


def add(commands: Any) -> None:
    status = new_command(commands, "status", "show how far a run is", "docs/command_line.md", ["runs/demo"])
    status.add_argument("run", help="a run directory")
    takes_json(status)
    status.set_defaults(command=_status)


def _status(options: argparse.Namespace) -> Answer:
    from stages.annotate.status import status_of

    return status_of(options.run)
