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

    def run(self, notes: Path) -> float:
        """Runs the command, unless what it makes is there, by its note, and returns how long it took, in seconds.

        Raises:
            SystemExit: it failed.
        """
        note = notes / f"{self.name}.json"
        done = note.is_file() and self.makes.exists()
        if done and (held := json.loads(note.read_text()))["key"] == self.key:
            return float(held["seconds"])
        print(f"{time.strftime('%H:%M:%S')} {self.name}", flush=True)
        started = time.monotonic()
        if status := subprocess.run(self.command).returncode:
            sys.exit(f"{self.name} ended with status {status}; the same command resumes: {shlex.join(self.command)}")
        seconds = time.monotonic() - started
        notes.mkdir(parents=True, exist_ok=True)
        note.write_text(json.dumps({"key": self.key, "seconds": seconds, "command": self.command}, indent=1) + "\n")
        return seconds


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
