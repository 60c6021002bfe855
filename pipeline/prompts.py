"""The prompt files that ship with the code."""

from __future__ import annotations

from pathlib import Path

from pipeline.inputs import packaged


def prompt_file(name: str) -> Path:
    """The path of the prompt file `name`, such as `prm_system_v1.txt`."""
    return packaged(f"prompts/{name}")
