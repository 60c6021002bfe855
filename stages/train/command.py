"""Training a reward model: `train`."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.command_line.arguments import new_command, takes_config


def add(commands: Any) -> None:
    train = new_command(
        commands,
        "train",
        "train a reward model from a dataset, or resume a training",
        "docs/training.md, docs/settings.md",
        ["configs/train_demo.yaml", "configs/train_demo.yaml name=mine_prm data.path=data/mine"],
    )
    takes_config(train, "configs/train_demo.yaml")
    train.set_defaults(command=_train, goes_on=True)


def _train(options: argparse.Namespace) -> None:
    from stages.train.config import load_train_config
    from stages.train.run import train

    train(load_train_config(options.config, options.overrides))
