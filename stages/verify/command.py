"""The verifier on its own: `verify`."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.config import SourceConfig


def add(commands: Any) -> None:
    verify = commands.add_parser("verify", help="judge files of responses against their gold answers")
    verify.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="JSON lines with `answer`, `response` and maybe `options`, `verify`, `correct`, `suspect`, `reviewed_correct`",
    )
    usual = ",".join(SourceConfig.model_fields["verify"].default)
    verify.add_argument("--modes", default=usual, help=f"modes of rows that name none ({usual})")
    verify.add_argument(
        "--compat",
        choices=("internvl",),
        help="decide as the reference code does, its defects included; modes follow from a row's `source`",
    )
    verify.add_argument(
        "--prompt-version",
        choices=("en", "zh", "en_v2", "zh_v2", "en_r1", "zh_r1"),
        default="en_v2",
        help="the form of answer that --compat looks for; en_v2, a box, by default",
    )
    verify.set_defaults(command=_verify)


def _verify(options: argparse.Namespace) -> None:
    from stages.verify.report import agreement, table, verify_file

    reference = options.prompt_version if options.compat else None
    modes = options.modes.split(",")
    rows = [row for path in options.files for row in verify_file(path, modes, reference=reference)]
    print(table(agreement(rows)))
