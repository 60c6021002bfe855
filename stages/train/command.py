"""Training a reward model: `train`."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.arguments import takes_config


def add(commands: Any) -> None:
    train = commands.add_parser("train", help="train a reward model from a dataset, or resume a training")
    takes_config(train)
    train.set_defaults(command=_train, goes_on=True)


def _train(options: argparse.Namespace) -> None:
    from stages.train.config import load_train_config
    from stages.train.run import train

    train(load_train_config(options.config, options.overrides))
