"""Are shared images stored once? Publishes noise pictures of real size and weighs the result.

    python -m benchmarks images_once problems=2000

Noise can't be compressed and no two pictures are alike, so every repeated byte shows.
"""

from __future__ import annotations

import functools
import io
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from benchmarks.shape import Benchmark, Figure
from pipeline.config import LabelConfig, PublishConfig
from pipeline.records import (
    VERDICT_STATUSES,
    AnnotatedProblem,
    Draw,
    Image,
    Problem,
    Solution,
    SolutionId,
    Step,
    Verdict,
    ledger_row,
    problem_row,
)
from pipeline.schemas import LEDGER_SCHEMA, PROBLEM_SCHEMA, table
from pipeline.settings import Strict
from stages.label import label_columns
from stages.publish.entries import Run
from stages.publish.rows import publish
from stages.publish.shards import WRITER_OPTIONS

WORDS = [a + b for a in ("read", "add", "take", "count", "value", "total") for b in ("", "s", "ed", "ing")]
PROBLEM_FILES = 4


class Settings(Strict):
    """What is measured."""

    problems: int = 2000
    """Problems, each with a picture of its own."""
    solutions: int = 4
    """Solutions of a problem."""


def measure(settings: Settings) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        return measure_in(Path(folder), settings)


def measure_in(folder: Path, settings: Settings) -> dict[str, float]:
    run, image_bytes = write_run(folder, settings.problems, settings.solutions)
    label = functools.partial(label_columns, config=LabelConfig())
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak memory so far (Linux)
    start = time.perf_counter()
    stats = publish([run], str(folder / "out"), pafs.LocalFileSystem(), PublishConfig(), label)
    seconds = time.perf_counter() - start
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    return {
        "published_mb": sum(shard.bytes for shard in stats.shards) / 1e6,
        "parts_mb": (image_bytes + weigh_without_images(folder)) / 1e6,
        "image_kb": image_bytes / settings.problems / 1e3,
        "seconds": seconds,
        "peak_mb": int(peak.split()[1]) / 1e3,
    }


def write_run(folder: Path, num_problems: int, num_solutions: int) -> tuple[Run, int]:
    """Problem files and a ledger as a run leaves them, and the bytes of all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    problems: list[str] = []
    ledger: list[str] = []
    image_bytes = 0
    for number in range(PROBLEM_FILES):
        made = sorted(pictured(range(number, num_problems, PROBLEM_FILES)), key=lambda item: item.problem_id)
        image_bytes += sum(len(image.data) for problem in made for image in problem.images)
        problems.append(str(folder / f"problems-{number}.parquet"))
        pq.write_table(table(map(problem_row, made), PROBLEM_SCHEMA), problems[-1], row_group_size=64)
        ledger.append(str(folder / f"ledger-{number}.parquet"))
        items = (annotate(problem, num_solutions) for problem in made)
        pq.write_table(table(map(ledger_row, items), LEDGER_SCHEMA), ledger[-1], row_group_size=64)
    return Run(problems, ledger, num_draws=16, filesystem=pafs.LocalFileSystem()), image_bytes


def pictured(seeds: range) -> Iterator[Problem]:
    for seed in seeds:
        image = Image.of(noise(seed))
        key = Problem.make_id("noise", str(seed), "7", [image.sha256])
        yield Problem(key, "noise", str(seed), f"What is {seed}?", "7", (image,), (), ("number",), 6, "")


def noise(seed: int) -> bytes:
    """A PNG or a JPEG of 100 to 300 kB."""
    rng = np.random.default_rng(seed)
    png = bool(rng.integers(2))
    side = int(rng.integers(186, 314) if png else rng.integers(320, 550))
    picture = PIL.Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8))
    file = io.BytesIO()
    picture.save(file, "PNG" if png else "JPEG", **({} if png else {"quality": 85}))
    return file.getvalue()


def annotate(problem: Problem, num_solutions: int) -> AnnotatedProblem:
    """Solutions of 3 to 8 steps of 28 random words with 16 draws each, as long as the paper's."""
    rng = random.Random(problem.problem_id)

    def draws() -> tuple[Draw, ...]:
        return tuple(Draw((), "", "stop", j, Verdict(rng.choice(VERDICT_STATUSES))) for j in range(16))

    solutions = []
    for index in range(num_solutions):
        texts = [" ".join(rng.choices(WORDS, k=28)) + ".\n\n" for _ in range(rng.randint(3, 8))]
        steps = tuple(Step(text, 0, 1, True, draws=draws(), origin="measured") for text in texts)
        name = str(SolutionId(problem.problem_id, "policy", index))
        solutions.append(Solution(name, "".join(texts), (), "stop", 0, Verdict("correct", "7"), steps))
    return AnnotatedProblem(problem, tuple(solutions), "noise", "policy", problem.question, "", "fixed")


def weigh_without_images(folder: Path) -> int:
    """Bytes of the published table without `images`, written in the same way."""
    weighed = 0
    for shard in sorted((folder / "out").glob("train-*.parquet")):
        columns = [name for name in pq.read_schema(shard).names if name != "images"]
        rows = pq.ParquetFile(shard).read(columns=columns)
        pq.write_table(rows, folder / "text.parquet", row_group_size=256, **WRITER_OPTIONS)
        weighed += (folder / "text.parquet").stat().st_size
    return weighed


BENCHMARK = Benchmark(
    on="{problems:,} problems × {solutions} solutions, noise pictures of {image_kb:.0f} kB on average",
    figures=(
        Figure(
            "published bytes against unique images and the table without images",
            "published_mb", "parts_mb", "MB", at_most=1.10, digits=5,
        ),
        Figure("publishing", "seconds", unit="s"),
        Figure("peak memory while publishing", "peak_mb", unit="MB"),
    ),
    settings=Settings,
    measure=measure,
)  # fmt: skip
