"""What `visualprm import raw` costs on a stand-in release, and how its memory grows with it.

    python -m benchmarks importing                           # 40,000 rows beside half of them
    python -m benchmarks importing rows=565000 --repeat 1

The baseline is pyarrow alone: reading the same JSON lines, writing the row groups that the import wrote.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.json as pj

from benchmarks.publishing import PART, spent, written_again
from benchmarks.shape import Benchmark, Figure
from pipeline.settings import Strict

SOURCES = ("charts", "geometry", "tables", "maps")
SOLUTIONS = 4
PICTURES = 500
DRAWS = 16
_WORDS = [a + b for a in ("read", "add", "take", "count", "value", "total") for b in ("", "s", "ed", "ing")]


class Settings(Strict):
    """What is measured."""

    rows: int = 40_000
    """Rows, of which four are of one problem."""
    image_bytes: int = 4_000
    """Of each of the 500 pictures, about as many."""


def write_release(folder: Path, rows: int, image_bytes: int) -> None:
    """A release of that many rows: `annotations/` with a file for each source, and `images/`."""
    import PIL.Image

    rng, noise = random.Random(0), np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    (folder / "annotations").mkdir()
    side = max(4, int((image_bytes / 3) ** 0.5))
    for picture in range(PICTURES):
        PIL.Image.fromarray(noise.integers(0, 256, (side, side, 3), np.uint8)).save(folder / f"images/{picture}.png")
    for number, source in enumerate(SOURCES):
        with (folder / f"annotations/{source}.jsonl").open("w") as out:
            for problem in range(number, rows // SOLUTIONS, len(SOURCES)):
                question = f"<image>\nWhat is {_text(rng, 12)}? ({problem})"
                for _ in range(SOLUTIONS):
                    out.write(json.dumps(_record(rng, question, f"{problem % PICTURES}.png")) + "\n")


def _record(rng: random.Random, question: str, image: str) -> dict[str, Any]:
    texts = [_text(rng, 25) for _ in range(rng.randint(4, 12))]
    counts = [rng.randint(0, DRAWS) for _ in texts]
    return {
        "image": image,
        "question": f"{question}\nSolve it step by step.",
        "answer": "4",
        "response": "\n\n".join(texts),
        "steps_with_score": [
            {"step": text, "score": count / DRAWS, "num_mc_correct": count, "num_mc_total": DRAWS}
            for text, count in zip(texts, counts, strict=True)
        ],
        "num_mc_sequences": DRAWS,
        "question_orig": question,
    }


def _text(rng: random.Random, words: int) -> str:
    return " ".join(rng.choice(_WORDS) + str(rng.randint(0, 99)) for _ in range(words))


def measure(settings: Settings) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, rows in (("small", settings.rows // PART), ("large", settings.rows)):
        with tempfile.TemporaryDirectory(prefix="importing-") as place:
            folder = Path(place)
            write_release(folder / "release", rows, settings.image_bytes)
            ours = spent("import", "raw", str(folder / "release"), str(folder / "data"))
            found[f"{name}_gb"] = ours.memory
            if name == "large":
                found |= {"import_s": ours.cpu, "plain_s": _plain(folder)}
    growth = found["large_gb"] - found["small_gb"]
    return {**found, "slope": growth / ((settings.rows - settings.rows // PART) / 1e6)}


def _plain(folder: Path) -> float:
    """CPU seconds of pyarrow alone."""
    start = time.process_time()
    for file in sorted((folder / "release/annotations").iterdir()):
        pj.read_json(file)
    return time.process_time() - start + written_again(folder / "data")


BENCHMARK = Benchmark(
    on="{rows:,} rows of a stand-in release, 500 pictures of {image_bytes} bytes",
    figures=(
        Figure(
            "CPU of `visualprm import raw`, its start included, against pyarrow's",
            "import_s",
            "plain_s",
            "s",
            at_most=4,
        ),
        Figure("its peak memory", "large_gb", unit="GB", at_most=1.5),
        Figure("… its growth with a million rows", "slope", unit="GB", at_most=0.2),
    ),
    settings=Settings,
    measure=measure,
    on_request=True,
)
