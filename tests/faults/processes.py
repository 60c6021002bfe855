"""Signals to the processes of a run: what it says, how long it takes, what it leaves, and what the next call makes of it.

python -m tests.faults.processes [VICTIM:SIGNAL …]
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import psutil
import yaml

from benchmarks.kills import digests
from tests.faults.results import HANG, LEFT, MENDED, SILENT, TRACEBACK, Result
from tests.places import ROOT

VICTIMS = ("driver", "engine", "verifier", "worker", "raylet", "gcs_server")
SIGNALS = ("KILL", "STOP", "TERM")
TIMEOUT_S = 15.0
"""`engine.timeout_s` of the runs."""
HANGS_S = 300.0
"""Within which a run ends, on a busy machine. One that takes longer hangs."""
LEFT_S = 10.0
"""After which no process of a run that has ended is left."""
MARK = "VISUALPRM_FAULTS"
"""The environment variable by which the processes of a run are known, whoever their parent is."""


@dataclass(frozen=True)
class Row:
    """What became of one run."""

    seconds: float | None
    """From the signal to the end of the run; None where it hung."""
    status: int | None
    left: tuple[str, ...]
    """Processes `LEFT_S` after the end."""
    told: str
    """Its last line."""
    traceback: bool
    again: int
    """Status of the same command, called once more."""
    same: bool
    """Whether the dataset then has the bytes of an undisturbed run's."""

    @property
    def outcome(self) -> str:
        if self.seconds is None:
            return HANG
        if self.traceback:
            return TRACEBACK
        if self.left:
            return LEFT
        return MENDED if self.same and not self.again else SILENT


class Run:
    """A dataset command of eight problems on a slow engine, whose processes can be found and signalled."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.data, self._run, self._log = folder / "data", folder / "run", folder / "log"
        self.config = folder / "config.yaml"
        self.config.write_text(yaml.safe_dump(_config(folder)))
        self._mark = uuid.uuid4().hex
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "pipeline.cli", "dataset", self.config],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), MARK: self._mark},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self._process

    @property
    def commits(self) -> int:
        return len(list(self._run.glob("checkpoint/*[0-9].parquet")))

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def processes(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == self._mark and process.status() != psutil.STATUS_ZOMBIE:
                    yield process
            except psutil.Error:
                continue

    def find(self, victim: str) -> psutil.Process | None:
        assert self._process is not None
        if victim == "driver":
            return psutil.Process(self._process.pid)
        return next((process for process in self.processes() if _is(process, victim)), None)

    def end(self) -> None:
        """Leaves nothing behind, whatever the run did."""
        for process in self.processes():
            process.kill()


def _config(folder: Path) -> dict[str, object]:
    return {
        "name": "sick",
        "run_dir": str(folder / "run"),
        "output_dir": str(folder / "data"),
        "prompt": "prompts/demo_v1.txt",
        "sources": [{"name": "rows", "function": "tests.integration.rows:rows", "kwargs": {"count": 8}}],
        "engine": {
            "kind": "scripted",
            "max_in_flight": 2,
            "timeout_s": TIMEOUT_S,
            "args": {"tokens_per_second": 25},
        },
        "sampling": {"num_solutions": 2, "max_tokens": 64},
        "rollout": {"num_draws": 4},
        "ray": {"rows_per_block": 1},
    }


def _is(process: psutil.Process, victim: str) -> bool:
    try:
        name, line = process.name(), " ".join(process.cmdline())
        if victim == "verifier":
            # Each is a process that forks one, which judges.
            return "stages.verify.worker" in line and not process.children()
    except psutil.Error:
        return False
    if victim == "engine":
        return "Annotator" in line
    if victim == "worker":
        return line.startswith("ray::") and not any(word in line for word in ("Annotator", "Agent", "MapWorker"))
    return name == victim


def disturbed(folder: Path, victim: str, number: str, expected: dict[str, str]) -> Row:
    """One run that gets one signal after its first commit, and what the same command then makes of it."""
    run = Run(folder)
    try:
        process = run.start()
        _wait(lambda: run.commits > 0 or process.poll() is not None)
        hit = None
        while hit is None and process.poll() is None:
            hit = run.find(victim)
        assert hit is not None, f"no {victim}, or the run ended before:\n{run.log[-3000:]}"
        began = time.monotonic()
        hit.send_signal(signal.Signals[f"SIG{number}"])
        if (victim, number) == ("driver", "STOP"):
            # As a person who has pressed Ctrl-Z: the run is where it was when it goes on.
            time.sleep(2 * TIMEOUT_S)
            hit.resume()
        try:
            status: int | None = process.wait(HANGS_S)
            seconds: float | None = time.monotonic() - began
        except subprocess.TimeoutExpired:
            status = seconds = None
            run.end()
        _wait(lambda: not list(run.processes()), LEFT_S)
        left = tuple(" ".join(process.cmdline())[:60] for process in run.processes())
        told = run.log
        again = run.start().wait(HANGS_S)
        same = run.data.exists() and digests(run.data) == expected
        lines = [line for line in told.splitlines() if line.strip()]
        return Row(seconds, status, left, lines[-1] if lines else "", "Traceback" in told, again, same)
    finally:
        run.end()


def undisturbed(folder: Path) -> dict[str, str]:
    """The sums of what a run publishes that nobody disturbs."""
    run = Run(folder)
    try:
        assert run.start().wait(HANGS_S) == 0, run.log[-3000:]
        return digests(run.data)
    finally:
        run.end()


def _wait(condition: Callable[[], object], seconds: float = HANGS_S) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.2)


def results(folder: Path, only: str = "") -> Iterator[Result]:
    """Every process of a run gets every signal; `only` those whose `victim:signal` has that in it."""
    expected = undisturbed(folder / "undisturbed")
    for victim, number in product(VICTIMS, SIGNALS):
        if only in f"{victim}:{number}":
            row = disturbed(folder / f"{victim}-{number}", victim, number, expected)
            yield Result(victim, f"SIG{number}", row.outcome, str(row))
