"""Reading sources without an engine: `check`."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.arguments import takes_config


def add(commands: Any) -> None:
    check = commands.add_parser("check", help="read every source and judge every gold answer, without an engine")
    takes_config(check)
    check.set_defaults(command=_check)


def _check(options: argparse.Namespace) -> None:
    from pipeline.config import load_config
    from stages.load.problems import check_sources

    print(check_sources(load_config(options.config, options.overrides)))
