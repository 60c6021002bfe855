"""The entry of a source: its settings, a remark with many of them, and what a person has to decide."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.load.add.mends import flow

_KEYS = ("path", "dataset", "dataset_config", "split", "members", "rows", "join", "images", "borrow_images", "separator",
         "fields", "answer_pattern", "booleans", "gold", "references", "verify", "limit")  # fmt: skip
_COMMON_NAMES = (
    "train",
    "test",
    "data",
    "metadata",
    "questions",
    "validation",
    "val",
    "dev",
    "rows",
    "list",
    "testmini",
)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person has to decide: a setting as it may be, and what else it may be or why it is not known."""

    key: str
    value: str
    why: str

    def __str__(self) -> str:
        """A line of YAML."""
        return f"{self.key}: {self.value}  # {self.why}"


@dataclass
class Entry:
    """What `add` found."""

    settings: dict[str, Any]
    remarks: dict[str, str] = field(default_factory=dict)
    """By the setting that they stand above; one without its setting stands alone."""
    decisions: list[Decision] = field(default_factory=list)
    rows: int | None = None
    """Of the source; None if that is not known without reading all of it."""
    looked_at: int = 0
    undecided: str | None = None
    """Why it can't be told what the golds are."""

    def yaml(self) -> str:
        """An item of `sources`, a setting a line; remarks and decisions are comments."""
        lines = []
        for key in ("name", *(key for key in _KEYS if key in self.settings or key in self.remarks)):
            if key in self.remarks:
                lines.append(f"# {self.remarks[key]}")
            if key in self.settings:
                lines.append(f"{key}: {flow(self.settings[key])}")
        lines += [f"# {decision}" for decision in self.decisions]
        return "\n".join(("  - " if number == 0 else "    ") + line for number, line in enumerate(lines))


def default_name(paths: Sequence[str]) -> str:
    """A name for the source, from the name of its file or folder."""
    path = Path(paths[0].rstrip("/"))
    stem = re.sub(r"[*?\[\]]", "", path.name.partition(".")[0])
    if not stem or stem.lower() in _COMMON_NAMES:
        stem = next((part for part in reversed(path.absolute().parts[:-1]) if "*" not in part), "mine")
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", stem).strip("_.-") or "mine"
