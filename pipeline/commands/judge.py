"""The verifier on its own: `verify`."""

from __future__ import annotations

import argparse
from typing import Any


def add(commands: Any) -> None:
    verify = commands.add_parser("verify", help="judge a file of responses against their gold answers")
    verify.add_argument("file", help="JSON lines with `answer`, `response` and maybe `options`, `verify`, `correct`")
    verify.add_argument("--modes", default="choice,number,math,text", help="modes of rows that name none")
    verify.set_defaults(command=_verify)


def _verify(options: argparse.Namespace) -> None:
    from stages.verify.report import agreement, table, verify_file

    print(table(agreement(list(verify_file(options.file, options.modes.split(","))))))
