"""Kills a dataset run again and again and compares what it publishes with an uninterrupted run's bytes.

    python -m benchmarks kills kills=10 --repeat 1

Each kill hits, at a random moment, the whole process group of the driver, the engine's own process, or a Ray
worker. After a kill of the driver the same command is started again; otherwise the run has to help itself.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from benchmarks.shape import Benchmark, Figure
from pipeline.settings import Strict

VICTIMS = ("driver", "engine", "worker")
ENGINE_NAMES = ("VLLM::EngineCore", "MapWorker", "Annotator")
NODE_NAMES = ("Agent",)
"""Parts of Ray's node itself: a node that loses one is lost, and on a single machine so is the driver's job."""


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every published file, by name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


class Run:
    """A dataset command that is killed and goes on until it is through."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._command, self._log = command, log
        self.kills: Counter[str] = Counter()
        self.restarts = 0
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(self._command, stdout=log, stderr=log, start_new_session=True)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def kill(self, victim: str) -> bool:
        """Kills one victim with SIGKILL; False if there was none at this moment."""
        if victim == "driver":
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = self._start()
        else:
            found = self._find(victim)
            if not found:
                return False
            found[0].kill()
        self.kills[victim] += 1
        return True

    def _find(self, victim: str) -> list[psutil.Process]:
        """The engine's processes, its own before the actor's; or any other Ray worker."""
        processes = psutil.Process(self._process.pid).children(recursive=True) if self.running else []
        named = [(name, process) for process in processes if (name := _name(process))]
        if victim == "engine":
            return [process for wanted in ENGINE_NAMES for name, process in named if wanted in name]
        spared = ENGINE_NAMES + NODE_NAMES
        return [process for name, process in named if name.startswith("ray::") and not any(w in name for w in spared)]

    def revived(self) -> bool:
        """Whether it is under way; a run that a kill has ended, once a kill, is started again, as its user would."""
        if (status := self._process.poll()) and self.restarts < self.kills.total():
            self.restarts += 1
            self._process = self._start()
            return True
        return status is None

    def wait(self) -> int:
        """Waits for the end, over such starts; the last exit status."""
        self._process.wait()
        while self.revived():
            self._process.wait()
        return self._process.wait()


def _name(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()) or process.name()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""


def run_with_kills(
    command: Sequence[str],
    log: Path,
    kills: int,
    rng: random.Random,
    delay_s: tuple[float, float],
    victims: Sequence[str] = VICTIMS,
    ready: Callable[[], bool] = lambda: True,
) -> tuple[int, Counter[str]]:
    """Runs a command through `kills` kills, each a random time after `ready` holds.

    Returns the exit status and what was killed how often; fewer kills if the run was through before.
    """
    run = Run(command, log)
    while run.kills.total() < kills and run.revived():
        while run.running and not ready():
            time.sleep(0.2)
        time.sleep(rng.uniform(*delay_s))
        victim = rng.choice(victims)
        if run.running and not run.kill(victim):
            run.kill("driver")
    status = run.wait()
    if run.restarts:
        print(f"started again {run.restarts} times after a kill other than the driver's")
    return status, run.kills


class Settings(Strict):
    """What is measured."""

    problems: int = 96
    """Problems of the demo."""
    kills: int = 10
    """Kills, if the run isn't through before."""
    seed: int = 0
    """Of the random moments and victims."""
    least_s: float = 10.0
    """Seconds before a kill, at least."""
    most_s: float = 40.0
    """Seconds before a kill, at most."""


def measure(settings: Settings) -> dict[str, float]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        return measure_in(Path(folder), settings)


def measure_in(folder: Path, settings: Settings) -> dict[str, float]:
    """Logs of both runs are in the folder.

    Raises:
        RuntimeError: the killed run failed.
    """

    def command(name: str) -> list[str]:
        places = [f"run_dir={folder / name / 'run'}", f"output_dir={folder / name / 'data'}"]
        count = f"sources.0.kwargs.count={settings.problems}"
        return [sys.executable, "-m", "pipeline.cli", "dataset", "configs/demo.yaml", count, *places]

    with (folder / "whole.log").open("ab") as log:
        subprocess.run(command("whole"), check=True, stdout=log, stderr=log)
    rng, delay = random.Random(settings.seed), (settings.least_s, settings.most_s)
    status, kills = run_with_kills(command("killed"), folder / "killed.log", settings.kills, rng, delay)
    if status:
        raise RuntimeError(f"the killed run ended with status {status}: {(folder / 'killed.log').read_text()[-2000:]}")
    whole, killed = (digests(folder / name / "data") for name in ("whole", "killed"))
    return {
        "equal_files": sum(killed.get(name) == digest for name, digest in whole.items()),
        "files": len(whole.keys() | killed.keys()),
        "all_kills": kills.total(),
        **{f"{victim}_kills": kills[victim] for victim in VICTIMS},
    }


BENCHMARK = Benchmark(
    on="{problems} problems of the demo; {driver_kills:.0f} kills of the driver's process group, {engine_kills:.0f} of the "
    "engine, {worker_kills:.0f} of Ray workers",
    figures=(
        Figure("published files whose bytes are an undisturbed run's", "equal_files", "files", "files", at_least=1),
        Figure("… kills before the run was through", "all_kills", at_least=10),
    ),
    settings=Settings,
    measure=measure,
    on_request=True,
)
