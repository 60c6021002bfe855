"""What `visualprm check` costs on sources with a picture of its own in each row, on one core and on two.

    python -m benchmarks checking                            # 4 sources of 250 rows
    python -m benchmarks checking sources=39 rows=1000 --repeat 1

The baseline decodes each picture once, with nothing around it.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import PIL.Image
import yaml

from benchmarks.shape import Benchmark, Figure
from pipeline.settings import Strict

PICTURES = 250
"""That differ; rows of other sources add a comment, so that no two files are the same."""


class Settings(Strict):
    """What is measured."""

    sources: int = 4
    rows: int = 250
    """Rows of each source."""
    image_bytes: int = 150_000
    """Of each picture, about as many."""


def write_sources(folder: Path, settings: Settings) -> Path:
    """Rows and pictures, and the config that reads them."""
    pictures = [_picture(number, settings.image_bytes) for number in range(min(PICTURES, settings.rows))]
    named = []
    for source in range(settings.sources):
        (folder / f"{source}").mkdir()
        with (folder / f"{source}.jsonl").open("w") as out:
            for row in range(settings.rows):
                name = f"{source}/{row}.jpg"
                # A JPEG ends at its mark; what follows changes the file and not the picture.
                (folder / name).write_bytes(pictures[row % len(pictures)] + f"{source}/{row}".encode())
                out.write(json.dumps({"id": row, "image": name, "question": f"What is {row}?", "answer": "4"}) + "\n")
        named.append({"name": f"s{source}", "path": str(folder / f"{source}.jsonl"), "verify": ["number"]})
    config = folder / "config.yaml"
    config.write_text(
        yaml.safe_dump(
            {"name": "checking", "prompt": "prompts/demo_v1.txt", "sources": named, "engine": {"kind": "scripted"}}
        )
    )
    return config


def _picture(seed: int, size: int) -> bytes:
    """As smooth as a photograph: 5.7 pixels a byte."""
    width = int((5.7 * size * 4 / 3) ** 0.5)
    noise = np.random.default_rng(seed).integers(0, 256, (width * 3 // 40, width // 10, 3), np.uint8)
    image = PIL.Image.fromarray(noise).resize((width, width * 3 // 4), PIL.Image.Resampling.BICUBIC)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=75)
    return out.getvalue()


def measure(settings: Settings) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="checking-") as place:
        folder = Path(place)
        config = write_sources(folder, settings)
        cores = sorted(os.sched_getaffinity(0))
        first = [f"sources.{source}.limit=1" for source in range(settings.sources)]
        found = {"decode_s": _decoding(folder), "start_s": _check(folder, config, cores[:1], *first)[0]}
        cpu, one = _check(folder, config, cores[:1])
        found |= {"check_s": cpu - found["start_s"], "one_s": one}
        if len(cores) > 1:
            cpu, found["two_s"] = _check(folder, config, cores[:2])
            found["check_s"] = cpu - found["start_s"]
        # Once more, after what it is compared with: the machine may have become faster.
        found["decode_s"] = min(found["decode_s"], _decoding(folder))
        return {**found, "pictures": settings.sources * settings.rows}


def _decoding(folder: Path) -> float:
    """CPU seconds to read and decode every picture once."""
    start = time.process_time()
    for path in folder.glob("*/*.jpg"):
        with PIL.Image.open(io.BytesIO(path.read_bytes())) as image:
            image.load()
    return time.process_time() - start


def _check(folder: Path, config: Path, cores: list[int], *more: str) -> tuple[float, float]:
    """CPU and wall-clock seconds of the command on these cores."""
    command = [sys.executable, "-m", "pipeline.cli", "check", str(config), f"run_dir={folder}/run"]
    start = time.monotonic()
    process = subprocess.Popen(
        [*command, *more], stdout=subprocess.DEVNULL, preexec_fn=lambda: os.sched_setaffinity(0, cores)
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit("check failed")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - start


BENCHMARK = Benchmark(
    on="{pictures:,.0f} rows of {sources} sources, each with a picture of {image_bytes:,} bytes",
    figures=(
        Figure(
            "CPU of `visualprm check` on two cores, its start left out, against decoding each picture once",
            "check_s",
            "decode_s",
            "s",
            at_most=1.2,
        ),
        Figure("time of `visualprm check` on one core against two", "one_s", "two_s", "s", at_least=1.6),
    ),
    settings=Settings,
    measure=measure,
    on_request=True,
)
