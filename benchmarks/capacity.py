"""What one driver, the engines' processes, the verifier and the writer carry, with an engine that costs nothing.

    python -m benchmarks capacity                                  # 40 draws a problem
    python -m benchmarks capacity draws=358 problems=300 rows_per_block=8
    python -m benchmarks capacity draws=10 problems=50000 --repeat 1    # the driver's memory

The real command runs on the scripted engine, in processes of its own, over made-up problems of four solutions. Once a
second its processes are weighed: CPU seconds tell what a problem costs however busy the machine is, wall time tells
what this machine did at that moment. Rates are those between the first tenth of the problems and the last commit.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import yaml
from PIL import Image

from benchmarks.shape import Benchmark, Figure
from pipeline.config import RunConfig, load_config
from pipeline.settings import Strict
from pipeline.store import Store

SOLUTIONS = 4
PREFIXES = 2.5
"""Open prefixes of a solution of the scripted engine, on average."""
SETTLED = 0.1
"""The share of the problems after which start-up is over."""
MANY = 50_000
"""Problems from which on the driver's growth says something."""
ROLES = ("driver", "engines", "verifiers", "tasks", "ray")
"""Ours, the actors', their verifier processes', the reading and writing tasks', and all else that Ray starts."""


class Settings(Strict):
    """What is measured; tokens are the scripted engine's bytes."""

    problems: int = MANY
    """Problems, of four solutions each."""
    draws: int = 40
    """Draws a problem, met on average."""
    rows_per_block: int = 32
    """See `ray.rows_per_block`."""
    engines: int = 2
    """See `engine.replicas`."""
    max_in_flight: int = 128
    """Problems that one engine works on at once."""
    step_characters: int = 0
    """The least length of a step."""
    image_bytes: int = 0
    """Of each problem's picture, about; tiny ones by default."""
    engine_tokens_per_second: float | None = None
    """Of each engine; without a limit by default."""

    def config(self, folder: Path) -> dict[str, Any]:
        args = {"step_characters": self.step_characters, "engine_tokens_per_second": self.engine_tokens_per_second}
        return {
            "name": "capacity",
            "run_dir": str(folder / "run"),
            "output_dir": str(folder / "data"),
            "prompt": "prompts/demo_v1.txt",
            "sources": [
                {
                    "name": "made-up",
                    "function": "benchmarks.capacity:rows",
                    "kwargs": {"count": self.problems, "image_bytes": self.image_bytes},
                }
            ],
            "engine": {
                "kind": "scripted",
                "replicas": self.engines,
                "max_in_flight": self.max_in_flight,
                "max_model_len": 16_384,
                "args": {key: value for key, value in args.items() if value},
            },
            "sampling": {"num_solutions": SOLUTIONS, "max_tokens": 8_192},
            "rollout": {"num_draws": max(1, round(self.draws / SOLUTIONS / PREFIXES))},
            "ray": {"rows_per_block": self.rows_per_block},
        }


def rows(count: int, image_bytes: int) -> Iterator[dict[str, Any]]:
    """Problems whose answer is 4, each with a picture of its own; noise of about `image_bytes`, if any are wanted."""
    side = max(24, int((image_bytes / 3) ** 0.5))
    for number in range(count):
        data = os.urandom(3 * side * side) if image_bytes else bytes((number % 256, number // 256 % 256, 90)) * side**2
        picture = io.BytesIO()
        Image.frombytes("RGB", (side, side), data).save(picture, "PNG", compress_level=1)
        yield {"image": picture.getvalue(), "question": f"Question {number}?", "answer": "4"}


@dataclass(frozen=True)
class Reading:
    """The run at one moment: problems committed, CPU seconds and memory (bytes, without what is shared) by role."""

    time: float
    committed: int
    cpu: defaultdict[str, float]
    memory: Counter[str]
    driver_rss: int
    object_store: int
    """Bytes of the object store that were in use at some time until now."""


class Watch:
    """Samples a run's processes; CPU time of those that end stays counted."""

    def __init__(self, pid: int, store: Store) -> None:
        self._driver, self._store = psutil.Process(pid), store
        self._committed: dict[str, int] = {}
        self._cpu: dict[int, float] = {}
        self._roles: dict[int, str] = {}

    def sample(self) -> Reading:
        memory: Counter[str] = Counter()
        driver_rss = object_store = 0
        for process in (self._driver, *self._driver.children(recursive=True)):
            try:
                role, times, held = self._role(process), process.cpu_times(), process.memory_info()
                object_store = max(object_store, held.shared if process.name() == "raylet" else 0)
            except psutil.Error:
                continue
            self._cpu[process.pid] = times.user + times.system
            memory[role] += held.rss - held.shared
            driver_rss += held.rss if role == "driver" else 0
        cpu: defaultdict[str, float] = defaultdict(float)
        for pid, seconds in self._cpu.items():
            cpu[self._roles[pid]] += seconds
        for path in set(self._store.checkpoint_files()) - self._committed.keys():
            self._committed[path] = pq.read_metadata(path).num_rows
        return Reading(time.time(), sum(self._committed.values()), cpu, memory, driver_rss, object_store)

    def _role(self, process: psutil.Process) -> str:
        # A worker is named after what it does at the moment, and not yet when it starts; an actor keeps its process.
        if self._roles.get(process.pid, "tasks") in ("tasks", "ray"):
            self._roles[process.pid] = self._named(process)
        return self._roles[process.pid]

    def _named(self, process: psutil.Process) -> str:
        line = " ".join(process.cmdline())
        if process.pid == self._driver.pid:
            return "driver"
        if "stages.verify.worker" in line:
            return "verifiers"
        if "MapWorker" in line:
            return "engines"
        helpers = ("Agent", "Coordinator", "StatsActor", "LocationTracker")
        return "tasks" if line.startswith("ray::") and not any(name in line for name in helpers) else "ray"


def measure(settings: Settings) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="capacity-") as folder:
        return measure_in(Path(folder), settings)


def measure_in(folder: Path, settings: Settings) -> dict[str, float]:
    """Runs the command once, from sources to published dataset."""
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(settings.config(folder)))
    config = load_config(path)
    store = Store(config.run_dir)
    command = [sys.executable, "-m", "pipeline.cli", "dataset", str(path)]
    samples: list[Reading] = []
    loaded = 0.0
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        watch = Watch(process.pid, store)
        while process.poll() is None:
            samples.append(watch.sample())
            if not loaded and store.exists("problems.json"):
                loaded = samples[-1].cpu["driver"]
            time.sleep(1)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{(folder / 'log').read_text()[-3000:]}")
    return _result(samples, loaded, store, config)


def _result(samples: Sequence[Reading], loaded: float, store: Store, config: RunConfig) -> dict[str, float]:
    problems = samples[-1].committed
    first = next(sample for sample in samples if sample.committed >= SETTLED * problems)
    last = next(sample for sample in samples if sample.committed == problems)
    if first.committed == last.committed:
        sys.exit("all problems were committed within a second: take more of them")
    fifth = next(sample for sample in samples if sample.committed >= problems / 5)
    done, seconds = last.committed - first.committed, last.time - first.time
    draws = store.total("num_draws")
    ledger = sum(info.size for info in store.filesystem.get_file_info(store.ledger_files()))
    spent = {f"{role}_ms": (last.cpu[role] - first.cpu[role]) / done * 1e3 for role in ROLES}
    found = {
        **spent,
        "all_ms": sum(spent.values()),
        "problems_per_s": done / seconds,
        "draws_per_s": done / seconds * draws / problems,
        "cores": (sum(last.cpu.values()) - sum(first.cpu.values())) / seconds,
        "draws_each": draws / problems,
        "tokens_each": store.total("num_tokens") / problems,
        "driver_mb": last.driver_rss / 1e6,
        "engine_mb": max(sample.memory["engines"] for sample in samples) / 1e6,
        "object_store_mb": max(sample.object_store for sample in samples) / 1e6,
        "load_s": loaded,
        "publish_s": samples[-1].cpu["driver"] - last.cpu["driver"],
        "ledger_bytes": ledger / draws,
    }
    if problems >= MANY:
        found["driver_growth"] = last.driver_rss / fifth.driver_rss
    return found


BENCHMARK = Benchmark(
    on="{problems:,} problems of {draws_each:.1f} draws and {tokens_each:,.0f} tokens, {rows_per_block} a block, {engines} "
    "scripted engines",
    figures=(
        Figure("problems/s through graph, verifier and writer", "problems_per_s", at_least=200),
        Figure("draws/s", "draws_per_s"),
        Figure("CPU ms a problem, all processes", "all_ms"),
        *(Figure(f"… of it {role}", f"{role}_ms") for role in ROLES),
        Figure("driver's memory", "driver_mb", unit="MB"),
        Figure("driver's memory at the end / after a fifth", "driver_growth", at_most=1.1),
    ),
    settings=Settings,
    measure=measure,
)
