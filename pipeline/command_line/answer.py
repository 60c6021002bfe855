"""What a command answers: a text for a person, or with `--json` one JSON object. The one place that writes it."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """The same twice: for a person and for a program."""

    text: str
    data: Mapping[str, Any]
    """What `to_json` can write; docs/command_line.md says what the keys mean."""
    wrong: str = ""
    """What the user must change, one line: the command tells all and then ends with status 2. Empty if all is well."""


def to_json(data: Mapping[str, Any]) -> str:
    """One object. Data classes are objects by their fields' names, and what is no finite number is null: not measured."""
    return json.dumps(_plain(data), indent=1, allow_nan=False)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, PurePath) else value


@contextmanager
def only_on_stderr() -> Iterator[None]:
    """In the block nothing reaches standard output, whoever writes: this program, a library in C, a process of either."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
