"""Commands that depend on each other: each is run once, and again when something that it builds on has changed."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.config import EngineConfig
from pipeline.engine.policy import model_fingerprint

POLICY = "demo/policy"


@dataclass(frozen=True)
class Task:
    """One command, what it makes, and the tasks whose results it reads."""

    name: str
    command: tuple[str, ...]
    makes: Path
    after: tuple[Task, ...] = ()

    @property
    def key(self) -> str:
        """A hash over the command, what the configs that it names say, the policy, and all that it builds on."""
        configs = [yaml.safe_load(Path(word).read_bytes()) for word in self.command if word.startswith("configs/")]
        policy = model_fingerprint(EngineConfig(model=POLICY))
        parts = [self.command[1:], configs, policy, [task.key for task in self.after]]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def done(self, notes: Path) -> dict[str, Any] | None:
        """The note of this task's end, if what it made is there and nothing that it depends on has changed."""
        note = self._note(notes)
        if not (note.is_file() and self.makes.exists()):
            return None
        held: dict[str, Any] = json.loads(note.read_text())
        return held if held["key"] == self.key else None

    def note(self, notes: Path, seconds: float) -> None:
        """Notes that the task has ended."""
        notes.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"key": self.key, "seconds": seconds, "command": self.command}, indent=1)
        self._note(notes).write_text(text + "\n")

    def run(self, notes: Path) -> float:
        """Runs the command, unless what it makes is there, by its note, and returns how long it took, in seconds.

        Raises:
            SystemExit: it failed.
        """
        if (held := self.done(notes)) is not None:
            return float(held["seconds"])
        print(f"{time.strftime('%H:%M:%S')} {self.name}", flush=True)
        started = time.monotonic()
        if status := subprocess.run(self.command).returncode:
            sys.exit(f"{self.name} ended with status {status}; the same command resumes: {shlex.join(self.command)}")
        seconds = time.monotonic() - started
        self.note(notes, seconds)
        return seconds

    def _note(self, notes: Path) -> Path:
        return notes / f"{self.name}.json"


def run(phases: Sequence[Sequence[Task]], notes: Path) -> dict[str, float]:
    """Seconds of every task by its name; those of a phase run beside each other, as many as there are cores.

    Raises:
        SystemExit: one failed.
    """
    seconds: dict[str, float] = {}
    for phase in phases:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = pool.map(lambda task: task.run(notes), phase)
            seconds |= dict(zip((task.name for task in phase), found, strict=True))
    return seconds
