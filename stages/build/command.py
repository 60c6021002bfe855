"""Building a dataset: `dataset`; and what became of its files: `doctor`."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from pipeline.command_line.arguments import new_command, takes_config


def add(commands: Any) -> None:
    dataset = new_command(
        commands,
        "dataset",
        "build a dataset, or resume one",
        "README.md, docs/settings.md, docs/running_on_a_cluster.md",
        ["configs/demo.yaml", "mine.yaml engine.model=OpenGVLab/InternVL3-8B-hf engine.replicas=8"],
    )
    takes_config(dataset)
    dataset.set_defaults(command=_dataset, goes_on=True)

    doctor = new_command(
        commands,
        "doctor",
        "read every byte of a run, dataset, training or model, and say what is not as it was written",
        "docs/faults.md",
        ["runs/demo", "data/demo"],
        "Exit status: 0 whole, 1 the command that wrote it mends it, 2 something must be restored.",
    )
    doctor.add_argument("path", help="its folder; nothing there is changed")
    doctor.set_defaults(command=_doctor)


def _dataset(options: argparse.Namespace) -> None:
    from pipeline.config import load_config
    from stages.build.run import run_dataset

    run_dataset(load_config(options.config, options.overrides))


def _doctor(options: argparse.Namespace) -> None:
    from pipeline.terminal.speak import tell
    from stages.build.doctor import examine

    status, text = examine(options.path)
    tell(text)
    sys.exit(status)
