"""Watching a run: `status`."""

from __future__ import annotations

import argparse
from typing import Any


def add(commands: Any) -> None:
    status = commands.add_parser("status", help="show how far a run is")
    status.add_argument("run", help="a run directory")
    status.set_defaults(command=_status)


def _status(options: argparse.Namespace) -> None:
    from stages.annotate.status import status_text

    print(status_text(options.run))
