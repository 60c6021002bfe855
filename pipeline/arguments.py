"""Arguments that several commands share."""

from __future__ import annotations

import argparse


def takes_config(command: argparse.ArgumentParser) -> None:
    command.add_argument("config", help="a YAML file: yours, or one of the package (configs/demo.yaml)")
    command.add_argument("overrides", nargs="*", metavar="key.sub=value", help="settings that replace the file's")
