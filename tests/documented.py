"""What docs/command_line.md promises to programs."""

from __future__ import annotations

import re

from tests.places import ROOT

PAGE = ROOT / "docs" / "command_line.md"


def json_keys(command: str) -> set[str]:
    """The top-level keys of a command's `--json` object, as the page lists them."""
    section = PAGE.read_text(encoding="utf-8").split(f"### `{command} --json`\n")[1].split("\n### ")[0]
    cells = re.findall(r"^\| (`.*?) \| ", section, re.MULTILINE)
    return {key for cell in cells for key in re.findall(r"`(\w+)`", cell)}


def statuses() -> dict[str, int]:
    """The exit status of each error class, as the page's table has it."""
    rows = re.findall(r"^\| `(\w+)`.*\| (\d+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: int(status) for name, status in rows}
