"""What one driver, the engines' processes, the verifier and the writer carry, with an engine that costs nothing.

    python -m benchmarks.capacity                                   # 40 and 358 draws a problem
    python -m benchmarks.capacity --draws 40 --engines 2 --engine-tokens-per-second 10000
    python -m benchmarks.capacity --draws 10 --problems 50000 --repeat 1    # the driver's memory

The real command runs on the scripted engine, in processes of its own, over made-up problems of four solutions. Once a
second its processes are weighed: CPU seconds tell what a problem costs however busy the machine is, wall time tells
what this machine did at that moment. Rates are those between the first tenth of the problems and the last commit.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import yaml
from PIL import Image

from pipeline.config import RunConfig, load_config
from pipeline.store import Store

SOLUTIONS = 4
PREFIXES = 2.5
"""Open prefixes of a solution of the scripted engine, on average."""
SETTLED = 0.1
"""The share of the problems after which start-up is over."""
ROLES = ("driver", "engines", "verifiers", "tasks", "ray")
"""Ours, the actors', their verifier processes', the reading and writing tasks', and all else that Ray starts."""


@dataclass(frozen=True)
class Workload:
    """One run; `draws` a problem are met on average, tokens are the scripted engine's bytes."""

    problems: int
    draws: int
    rows_per_block: int
    engines: int = 2
    max_in_flight: int = 128
    step_characters: int = 0
    image_bytes: int = 0
    engine_tokens_per_second: float | None = None

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


PRESETS = (Workload(2_000, 40, 32), Workload(300, 358, 8))


def rows(count: int, image_bytes: int) -> Iterator[dict[str, Any]]:
    """Problems whose answer is 4, each with a picture of its own; noise of about `image_bytes`, if any are wanted."""
    side = max(24, int((image_bytes / 3) ** 0.5))
    for number in range(count):
        data = os.urandom(3 * side * side) if image_bytes else bytes((number % 256, number // 256 % 256, 90)) * side**2
        picture = io.BytesIO()
        Image.frombytes("RGB", (side, side), data).save(picture, "PNG", compress_level=1)
        yield {"image": picture.getvalue(), "question": f"Question {number}?", "answer": "4"}


@dataclass(frozen=True)
class Sample:
    """The run at one moment: problems committed, CPU seconds and memory (bytes, without what is shared) by role."""

    time: float
    committed: int
    cpu: Counter[str]
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

    def sample(self) -> Sample:
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
        cpu: Counter[str] = Counter()
        for pid, seconds in self._cpu.items():
            cpu[self._roles[pid]] += seconds
        for path in set(self._store.checkpoint_files()) - self._committed.keys():
            self._committed[path] = pq.read_metadata(path).num_rows
        return Sample(time.time(), sum(self._committed.values()), cpu, memory, driver_rss, object_store)

    def _role(self, process: psutil.Process) -> str:
        # A worker is named after what it does at the moment; an actor keeps its process.
        if self._roles.get(process.pid, "tasks") == "tasks":
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


@dataclass(frozen=True)
class Result:
    """One run, measured. Rates and costs are of the settled part; see the module."""

    problems_per_s: float
    draws_per_problem: float
    tokens_per_problem: float
    cpu_ms: dict[str, float]
    """CPU milliseconds a problem, by role."""
    cores: dict[str, float]
    """CPU seconds a second, by role."""
    memory: dict[str, int]
    """The most bytes that were held at once, by role."""
    driver_rss: list[int]
    """Bytes after each fifth of the problems."""
    load_s: float
    """Driver's CPU seconds until the problem files are written, its start included."""
    publish_s: float
    """Driver's CPU seconds after the last commit."""
    object_store: int
    ledger_bytes: float
    """Of the ledger's files, a draw."""
    files: int
    """In the run directory at the end."""

    @property
    def total_ms(self) -> float:
        return sum(self.cpu_ms.values())


def measure(workload: Workload, folder: Path) -> Result:
    """Runs the command once, from sources to published dataset."""
    folder.mkdir(parents=True)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(workload.config(folder)))
    config = load_config(path)
    store = Store(config.run_dir)
    command = [sys.executable, "-m", "pipeline.cli", "dataset", str(path)]
    samples: list[Sample] = []
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


def _result(samples: Sequence[Sample], loaded: float, store: Store, config: RunConfig) -> Result:
    problems = samples[-1].committed
    first = next(sample for sample in samples if sample.committed >= SETTLED * problems)
    last = next(sample for sample in samples if sample.committed == problems)
    if first.committed == last.committed:
        sys.exit("all problems were committed within a second: take more of them")
    fifths = [next(each for each in samples if each.committed >= problems * part / 5) for part in range(1, 6)]
    done, seconds = last.committed - first.committed, last.time - first.time
    spent = {role: last.cpu[role] - first.cpu[role] for role in ROLES}
    draws = store.total("num_draws")
    ledger = sum(info.size for info in store.filesystem.get_file_info(store.ledger_files()))
    return Result(
        done / seconds,
        draws / problems,
        store.total("num_tokens") / problems,
        {role: value / done * 1e3 for role, value in spent.items()},
        {role: value / seconds for role, value in spent.items()},
        {role: max(sample.memory[role] for sample in samples) for role in ROLES},
        [sample.driver_rss for sample in fifths],
        loaded,
        samples[-1].cpu["driver"] - last.cpu["driver"],
        max(sample.object_store for sample in samples),
        ledger / draws,
        sum(len(files) for _, _, files in os.walk(config.run_dir)),
    )


def report(workload: Workload, result: Result) -> str:
    cores = os.cpu_count() or 1
    engine = result.cpu_ms["engines"] or float("nan")
    offered = workload.engine_tokens_per_second
    rss = ", ".join(f"{held / 1e6:,.0f}" for held in result.driver_rss)
    growth = result.driver_rss[-1] / result.driver_rss[0] - 1
    lines = [
        f"{workload.problems:,} problems of {result.draws_per_problem:.1f} draws and {result.tokens_per_problem:,.0f} "
        f"tokens, {workload.rows_per_block} a block, {workload.engines} engines",
        f"{'':10}{'CPU ms/problem':>16}{'cores':>8}{'memory MB':>12}",
        *(
            f"{role:10}{result.cpu_ms[role]:16.2f}{result.cores[role]:8.2f}{result.memory[role] / 1e6:12.0f}"
            for role in ROLES
        ),
        f"{'all':10}{result.total_ms:16.2f}{sum(result.cores.values()):8.2f}",
        f"{result.problems_per_s:,.0f} problems/s, {result.problems_per_s * result.draws_per_problem:,.0f} draws/s, "
        f"{result.problems_per_s * result.tokens_per_problem:,.0f} tokens/s in the wall time of this run",
        f"{cores * 1e3 / result.total_ms:,.0f} problems/s, "
        f"{cores * 1e3 / result.total_ms * result.draws_per_problem:,.0f} draws/s "
        f"on {cores} cores that do nothing else; one engine's process alone {1e3 / engine:,.0f} problems/s",
        f"driver's memory after each fifth of the problems: {rss} MB ({growth:+.1%}); it took {result.load_s:.1f} CPU s to "
        f"start and load, {result.publish_s:.1f} to publish",
        f"object store {result.object_store / 1e6:,.0f} MB, ledger {result.ledger_bytes:,.0f} bytes a draw, "
        f"{result.files:,} files in the run directory",
    ]
    if offered:
        share = result.problems_per_s * result.tokens_per_problem / (offered * workload.engines)
        lines.append(f"{share:.1%} of the {offered * workload.engines:,.0f} tokens/s that the engines can make")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, help="draws a problem, about; 40 and then 358 by default")
    parser.add_argument("--problems", type=int)
    parser.add_argument("--rows-per-block", type=int)
    parser.add_argument("--engines", type=int)
    parser.add_argument("--max-in-flight", type=int, help="problems that one engine works on at once")
    parser.add_argument("--step-characters", type=int, help="the least length of a step")
    parser.add_argument("--image-bytes", type=int, help="of each problem's picture; tiny ones by default")
    parser.add_argument("--engine-tokens-per-second", type=float, help="of each engine; without a limit by default")
    parser.add_argument("--repeat", type=int, default=3, help="runs; the one with the median CPU time is printed")
    options = vars(parser.parse_args())
    repeat = options.pop("repeat")
    asked = {key: value for key, value in options.items() if value is not None}
    presets = [preset for preset in PRESETS if preset.draws == asked.get("draws", preset.draws)] or PRESETS[:1]
    for workload in (replace(preset, **asked) for preset in presets):
        with tempfile.TemporaryDirectory(prefix="capacity-") as folder:
            results = [measure(workload, Path(folder) / str(number)) for number in range(repeat)]
        middle = statistics.median_low(result.total_ms for result in results)
        print(report(workload, next(result for result in results if result.total_ms == middle)), flush=True)


if __name__ == "__main__":
    main()
