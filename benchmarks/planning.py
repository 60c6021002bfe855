"""How long `visualprm plan` takes over stand-in files: 39 sources with as many rows as VisualPRM400K-v1.1-Raw has problems.

python -m benchmarks planning
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import PIL.Image
import yaml

from benchmarks.shape import Benchmark, Figure
from pipeline.settings import Strict
from stages.plan.assumptions import load_assumptions

SIZES = ((640, 480), (1024, 768), (300, 900), (448, 448), (1600, 1200), (512, 256))
UNLISTED = ("study_com_en_20240619", 14_000)
"""The 39th file, of which no rollouts were published; as many as an average file's."""
SOLUTIONS = 4


def write_sources(folder: Path) -> list[dict[str, str]]:
    """Rows of 8 to 60 words beside a few images, in files with the corpus's names."""
    rng = random.Random(0)
    for index, size in enumerate(SIZES):
        PIL.Image.new("RGB", size).save(folder / f"{index}.png")
    counts = {name: rollouts for name, (_, _, rollouts) in load_assumptions().per_source.items()} | dict([UNLISTED])
    for name, rollouts in counts.items():
        with (folder / f"{name}.jsonl").open("w") as file:
            for row in range(rollouts // SOLUTIONS):
                question = " ".join(["angle"] * rng.randint(8, 60))
                image = f"{rng.randrange(len(SIZES))}.png"
                file.write(json.dumps({"image": image, "question": question, "answer": str(row)}) + "\n")
    return [{"name": name, "path": str(folder / f"{name}.jsonl")} for name in counts]


class Settings(Strict):
    """Nothing to choose."""


def measure(settings: Settings) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = {
            "name": "standin",
            "run_dir": f"{name}/run",
            "output_dir": f"{name}/data",
            "sources": write_sources(folder),
            "engine": {"model": "OpenGVLab/InternVL3-8B-hf", "max_model_len": 16384},
            "sampling": {"max_tokens": 4096},
        }
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        rows = sum(path.read_bytes().count(b"\n") for path in folder.glob("*.jsonl"))
        started = time.perf_counter()
        command = [sys.executable, "-m", "pipeline.cli", "plan", str(folder / "config.yaml"), "--gpu", "h100"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        wall = time.perf_counter() - started
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"wall_s": wall, "cpu_s": spent.ru_utime + spent.ru_stime, "files": len(config["sources"]), "rows": rows}


BENCHMARK = Benchmark(
    on="{files:.0f} stand-in files, {rows:,.0f} rows, as many problems as VisualPRM400K-v1.1-Raw has",
    figures=(
        Figure("`visualprm plan`", "wall_s", unit="s", at_most=10),
        Figure("… CPU time of it and what it starts", "cpu_s", unit="s"),
    ),
    settings=Settings,
    measure=measure,
)
