"""Building a dataset: `dataset`; and what became of its files: `doctor`."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from pipeline.arguments import takes_config


def add(commands: Any) -> None:
    dataset = commands.add_parser("dataset", help="build a dataset, or resume one")
    takes_config(dataset)
    dataset.set_defaults(command=_dataset, goes_on=True)

    doctor = commands.add_parser(
        "doctor", help="read every byte of a run, dataset, training or model, and say what is not as it was written"
    )
    doctor.add_argument("path", help="its folder; nothing there is changed")
    doctor.epilog = "Exit status: 0 whole, 1 the command that wrote it mends it, 2 something must be restored."
    doctor.set_defaults(command=_doctor)


def _dataset(options: argparse.Namespace) -> None:
    from pipeline.config import load_config
    from stages.build.run import run_dataset

    run_dataset(load_config(options.config, options.overrides))


def _doctor(options: argparse.Namespace) -> None:
    from stages.build.doctor import examine

    status, text = examine(options.path)
    print(text)
    sys.exit(status)
