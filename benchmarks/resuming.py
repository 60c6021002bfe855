"""How long a run that is nearly done takes to go on, and what its driver holds then.

    python -m benchmarks resuming done=20000
    python -m benchmarks resuming --repeat 1                 # 200,000 problems done: 1 GB of disk

The real command resumes a stand-in run on the scripted engine, and is stopped when something new is committed.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.shape import Benchmark, Figure
from benchmarks.stand_in import write_run
from pipeline.settings import Strict
from pipeline.store import Store


class Settings(Strict):
    """What is measured."""

    done: int = 200_000
    """Problems that are done, of four solutions each."""
    pending: int = 64
    """Problems that are left."""
    image_bytes: int = 200
    """Of each problem's picture, which is noise."""


def measure(settings: Settings) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="resuming-") as folder:
        store = write_run(Path(folder), settings.done + settings.pending, settings.image_bytes, settings.done)
        before = len(store.checkpoint_files())
        start = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.cli", "dataset", store.path("config.yaml")], stdout=subprocess.DEVNULL
        )
        waited = _until_more(store, before, process, start)
        used = psutil.Process(process.pid).cpu_times()
        peak = _peak_gb(process.pid)
        process.send_signal(signal.SIGTERM)
        process.wait()
        return {"first_s": waited, "driver_s": used.user + used.system, "driver_gb": peak}


def _until_more(store: Store, before: int, process: subprocess.Popen[bytes], start: float) -> float:
    """Seconds until another block is committed."""
    while process.poll() is None:
        if len(store.checkpoint_files()) > before:
            return time.monotonic() - start
        time.sleep(0.5)
    raise SystemExit(f"the run ended with status {process.returncode} before anything new was committed")


def _peak_gb(pid: int) -> float:
    """Not from `wait4`: a process's peak there counts from that of the process that started it."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM:"))) / 1e6


BENCHMARK = Benchmark(
    on="{done:,} problems done, {pending} left, scripted engine",
    figures=(
        Figure("a resumed run commits something new after", "first_s", unit="s", at_most=60),
        Figure("CPU of its driver until then", "driver_s", unit="s"),
        Figure("peak memory of its driver", "driver_gb", unit="GB", at_most=1),
    ),
    settings=Settings,
    measure=measure,
    on_request=True,
)
