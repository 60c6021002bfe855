"""Does training hold images in memory? Trains on noise pictures of real size, made on the fly, and watches itself.

    python -m benchmarks.training_memory --gigabytes 2

Peak anonymous memory (RssAnon: what no file backs) of the training with its data loader's processes, while it prepares
the shards and while it trains, must stay under 3 GB and the model; exit status 1 if it doesn't.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow.fs as pafs
from PIL import Image

from pipeline.config import PublishConfig
from pipeline.shards import ShardWriter
from pipeline.train_config import load_train_config
from tests.shards import row, step

LIMIT = 3e9
SIDE = 300
"""Pixels; a noise picture has about 270 kB."""
SOLUTIONS = 4


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=2.0, help="of shards; each image counts once")
    parser.add_argument("--steps", type=int, default=20, help="optimiser steps")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return bench(Path(folder), args.gigabytes * 1e9, args.steps)


def bench(folder: Path, size: float, steps: int) -> int:
    from pipeline.training import train

    written = make_shards(folder / "data", size)
    overrides = [
        *(f"{key}={folder}/{key}" for key in ("run_dir", "output_dir")), f"data.path={folder}/data", "data.held_out=0.01",
        "check.report_to=[]", f"optim.args={{max_steps: {steps}}}", "optim.loader_workers=2",
    ]  # fmt: skip
    config = load_train_config("configs/train_demo.yaml", overrides)
    model = sum(path.stat().st_size for path in Path(config.model.base).glob("*.safetensors"))
    with Watch() as watch:
        train(config)
    print(
        f"{written / 1e9:.2f} GB of shards; peak RssAnon {watch.peak / 1e9:.2f} GB, of model files {model / 1e9:.2f} GB"
    )
    return int(watch.peak > LIMIT + model)


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


class Watch(threading.Thread):
    """Keeps the highest sum of RssAnon over this process and its children, in bytes."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self._end = threading.Event()

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._end.set()
        self.join()

    def run(self) -> None:
        own = psutil.Process()
        while not self._end.wait(0.2):
            processes = [own, *own.children(recursive=True)]
            self.peak = max(self.peak, sum(map(anonymous, processes)))


def anonymous(process: psutil.Process) -> int:
    """RssAnon in bytes; 0 of a process that has ended."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return 0
    kilobytes = [int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon")]
    return 1024 * sum(kilobytes)


if __name__ == "__main__":
    sys.exit(main())
