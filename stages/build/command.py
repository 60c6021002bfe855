"""Building a dataset: `dataset`."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.arguments import takes_config


def add(commands: Any) -> None:
    dataset = commands.add_parser("dataset", help="build a dataset, or resume one")
    takes_config(dataset)
    dataset.set_defaults(command=_dataset, goes_on=True)


def _dataset(options: argparse.Namespace) -> None:
    from pipeline.config import load_config
    from stages.build.run import run_dataset

    run_dataset(load_config(options.config, options.overrides))
