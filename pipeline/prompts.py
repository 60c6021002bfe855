"""Where the prompt files that ship with the code lie, and reading one of them."""

from __future__ import annotations

from pathlib import Path

import prompts

FOLDER = Path(prompts.__path__[0])
"""The folder of the prompt files. Every node of a cluster has it, because the package travels with the code."""


def prompt_file(name: str) -> Path:
    """The path of the prompt file `name`, such as `prm_system_v1.txt`."""
    return FOLDER / name
