"""What people said of steps: lines that are only ever added, each on the disk before its writer returns.

Every session has a file of its own, so two sessions of one name are told apart, and a kill cuts at most the last line of
one file, which nobody was told is kept.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import threading
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline import atomic
from pipeline.errors import UserError
from pipeline.store import one_line_io_errors

Label = Literal["correct", "incorrect", "neutral"]
LABELS: tuple[Label, ...] = ("correct", "incorrect", "neutral")
CATEGORIES = {
    "reading": "reading the picture",
    "arithmetic": "arithmetic",
    "logic": "logic",
    "knowledge": "knowledge",
    "other": "other",
}
"""What kind of error makes a step incorrect."""
FOLDER = "labels"
_NAME = re.compile(r"[\w .@-]{1,60}")


@dataclass(frozen=True, slots=True)
class Entry:
    """A line: what a person said of a step at a time (ns since 1970). `label` null takes back what was said before.

    `saw` says that the person had looked at the dataset's or other people's labels of this solution before; `settles` that
    this decides where people disagree.
    """

    task: str
    step: int
    label: Label | None
    annotator: str
    session: str
    at: int
    category: str | None = None
    note: str = ""
    saw: bool = False
    settles: bool = False


class Log:
    """The file of one session. Safe to use from several threads."""

    def __init__(self, folder: Path, annotator: str) -> None:
        """Raises:
        UserError: the name can't be one, or the folder can't be written.
        """
        if not _NAME.fullmatch(annotator):
            raise UserError(f"{annotator!r}: a name has 1 to 60 letters, digits, spaces, dots, @ or -")
        self.annotator, self.session = annotator, uuid.uuid4().hex[:12]
        self._lock = threading.Lock()
        self._last = 0
        place = folder / FOLDER
        with one_line_io_errors(str(place)):
            place.mkdir(parents=True, exist_ok=True)
            name = re.sub(r"[^\w-]", "_", annotator)
            self._file = os.open(
                place / f"{name}-{self.session}.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o644
            )
            atomic.force(str(place))

    def add(self, entry: Entry) -> Entry:
        """Writes a line and waits until it is on the disk; gives the entry with this session's name and the time."""
        with self._lock:
            self._last = max(time.time_ns(), self._last + 1)
            made = dataclasses.replace(entry, annotator=self.annotator, session=self.session, at=self._last)
            line = json.dumps(dataclasses.asdict(made), ensure_ascii=False).encode() + b"\n"
            with one_line_io_errors(FOLDER):
                written = atomic.append(self._file, line)
                if written != len(line):
                    raise UserError(f"{FOLDER}: only {written} of {len(line)} bytes were written: free some space")
            return made

    def close(self) -> None:
        os.close(self._file)


def read_entries(folder: Path) -> list[Entry]:
    """Every line of every session, in the order of time.

    A last line without its end was cut by a kill before anyone was told that it is kept: it does not count.

    Raises:
        UserError: another line can't be read.
    """
    found: list[Entry] = []
    for path in sorted((folder / FOLDER).glob("*.jsonl")):
        lines = path.read_bytes().split(b"\n")[:-1]
        for number, line in enumerate(lines, 1):
            try:
                entry = Entry(**json.loads(line))
                if entry.label not in (*LABELS, None):
                    raise ValueError(f"label {entry.label!r}")
            except (ValueError, TypeError) as error:
                raise UserError(f"{path}: line {number} is no label ({error}): mend or remove this line") from error
            found.append(entry)
    return sorted(found, key=lambda entry: entry.at)


def current(entries: Iterable[Entry]) -> dict[tuple[str, int], dict[str, Entry]]:
    """(task, step) → annotator → what each says now; what was taken back is gone. Without what settles."""
    found: dict[tuple[str, int], dict[str, Entry]] = {}
    for entry in entries:
        if entry.settles or entry.step < 0:
            continue
        held = found.setdefault((entry.task, entry.step), {})
        held.pop(entry.annotator, None)
        if entry.label is not None:
            held[entry.annotator] = entry
    return {key: held for key, held in found.items() if held}


def settled(entries: Iterable[Entry]) -> dict[tuple[str, int], Entry]:
    """(task, step) → what was decided last where people disagreed."""
    found: dict[tuple[str, int], Entry] = {}
    for entry in entries:
        if entry.settles:
            found.pop((entry.task, entry.step), None)
            if entry.label is not None:
                found[entry.task, entry.step] = entry
    return found
