"""What `add` knows of a benchmark before it looks at its columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Layout:
    """What was found: a description for a person, the keys of the entry that say where the rows are, the folder of all."""

    kind: str
    entry: dict[str, Any]
    base: Path | None = None
    pictures: Path | None = None
    """Where the pictures may be if they are not below `base`: the archive that holds the rows, or the folder named."""
    notes: list[str] = field(default_factory=list)
