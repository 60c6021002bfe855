"""Does training hold images in memory? Trains on noise pictures of real size, made on the fly, and watches itself.

    python -m benchmarks training_memory gigabytes=2

Peak anonymous memory (what no file backs) while a training prepares the shards, trains and evaluates. It needs twice as much
disk as there are shards.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pyarrow.fs as pafs
from PIL import Image

from benchmarks.shape import Benchmark, Figure
from pipeline.config import PublishConfig
from pipeline.settings import Strict
from stages.publish.shards import ShardWriter
from stages.train.config import load_train_config
from tests.shards import row, step

CONFIG = "configs/train_demo.yaml"
INTERVAL_S = 0.2
"""Between two looks at the memory."""
SIDE = 300
"""Pixels; a noise picture has about 270 kB."""
SOLUTIONS = 4


class Settings(Strict):
    """What is measured."""

    gigabytes: float = 2.0
    """Of shards; each image counts once."""
    steps: int = 20
    """Optimiser steps."""


def measure(settings: Settings) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        return measure_in(Path(folder), settings)


def measure_in(folder: Path, settings: Settings) -> dict[str, float]:
    written = make_shards(folder / "data", settings.gigabytes * 1e9)
    overrides = [
        *(f"{key}={folder}/{key}" for key in ("run_dir", "output_dir")), f"data.path={folder}/data", "data.held_out=0.01",
        "check.report_to=[]", f"optim.args={{max_steps: {settings.steps}}}", "optim.loader_workers=2",
    ]  # fmt: skip
    # A process of its own: what making the shards has left in the heap is no part of a training.
    command = [sys.executable, "-m", "pipeline.cli", "train", CONFIG, *overrides]
    peak = watched(command)
    base = Path(load_train_config(CONFIG, overrides).model.base)
    model = sum(path.stat().st_size for path in base.glob("*.safetensors"))
    return {
        "process_gb": (peak.process - model) / 1e9,
        "together_gb": (peak.together - model) / 1e9,
        "model_gb": model / 1e9,
        "shards_gb": written / 1e9,
    }


def make_shards(folder: Path, size: float) -> int:
    """Publishes problems with four solutions each until their images have this size; returns the bytes on disk."""
    folder.mkdir()
    writer = ShardWriter(str(folder), pafs.LocalFileSystem(), PublishConfig())
    done = 0
    for number, image in enumerate(pictures()):
        if done >= size:
            break
        steps = [step("a" if index % 2 else "b", index % 3) for index in range(4)]
        images = [{"bytes": image, "path": "x.png"}]
        writer.add([row(number, solution, steps, images=images) for solution in range(SOLUTIONS)])
        done += len(image)
    writer.finish()
    return sum(path.stat().st_size for path in folder.iterdir())


def pictures() -> Iterator[bytes]:
    """Noise, which can't be compressed, as PNG."""
    rng = np.random.default_rng(0)
    while True:
        buffer = io.BytesIO()
        pixels = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(buffer, "PNG", compress_level=0)
        yield buffer.getvalue()


@dataclass(frozen=True)
class Peak:
    """Anonymous memory in bytes: of the process that had most (RssAnon), and of all at one time (the sum of Pss_Anon)."""

    process: int
    together: int


def watched(command: Sequence[str]) -> Peak:
    """Runs a command and keeps the peaks of it and what it starts.

    A page that forked processes share is in the RssAnon of each; Pss_Anon gives each its part, so the sum has it once.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    process = psutil.Popen(command)
    alone = together = 0
    while process.poll() is None:
        with suppress(psutil.NoSuchProcess):
            pids = [process.pid, *(child.pid for child in process.children(recursive=True))]
            alone = max(alone, *(kilobytes(pid, "status", "RssAnon") for pid in pids))
            together = max(together, sum(kilobytes(pid, "smaps_rollup", "Pss_Anon") for pid in pids))
        time.sleep(INTERVAL_S)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Peak(1024 * alone, 1024 * together)


def kilobytes(pid: int, file: str, key: str) -> int:
    """A line of /proc/PID/FILE; 0 of a process that has ended."""
    try:
        lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


BENCHMARK = Benchmark(
    on="{shards_gb:.2f} GB of shards, {steps} optimiser steps, 2 loader processes; a model of {model_gb:.3f} GB, subtracted",
    figures=(
        Figure("peak RssAnon of a training's process", "process_gb", unit="GB", at_most=3),
        Figure("peak anonymous memory of all its processes, shared pages once", "together_gb", unit="GB", at_most=3),
    ),
    settings=Settings,
    measure=measure,
)
