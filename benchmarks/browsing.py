"""How quick the pages are on a dataset of VisualPRM400K's size: a stand-in whose texts and pictures repeat.

    python -m benchmarks browsing solutions=565000 problems=215000

Time is what a handler takes, measured in one process with the server's own code; memory is that of this process alone.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.shape import Benchmark, Figure
from pipeline.schemas import PUBLISHED_SCHEMA
from pipeline.settings import Strict
from stages.publish.shards import WRITER_OPTIONS
from tests.shards import picture, row, step

DIFFERENT = 2048
"""Rows that differ in more than their ids."""
SHARD = 40_000
WORDS = "the bar chart shows that red is higher than blue so we add eight and nine to get a sum of".split()


class Settings(Strict):
    """How large the stand-in is."""

    solutions: int = 565_000
    """Rows."""
    problems: int = 215_000
    """Problems that they are shared out among."""
    characters: int = 900
    """Of a solution, on average; it has four to twelve steps."""


def measure(settings: Settings) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = f"{folder}/cache"
        # In a process of its own, so that the memory measured is the pages' alone.
        writer = multiprocessing.get_context("spawn").Process(target=write, args=(Path(folder, "data"), settings))
        writer.start()
        writer.join()
        return _measure(f"{folder}/data", settings.problems // 2)


def write(folder: Path, settings: Settings) -> None:
    """The stand-in: `DIFFERENT` rows again and again, each time under new ids, a problem's rows side by side."""
    folder.mkdir(parents=True)
    base = pa.Table.from_pylist(_rows(settings), schema=PUBLISHED_SCHEMA)
    problems = np.sort(np.arange(settings.solutions) % settings.problems)
    place = np.arange(settings.solutions) - np.searchsorted(problems, problems)
    shards = range(0, settings.solutions, SHARD)
    for number, start in enumerate(shards):
        chosen = slice(start, min(start + SHARD, settings.solutions))
        ids = [f"{problem:032x}/policy/s{k}" for problem, k in zip(problems[chosen], place[chosen], strict=True)]
        table = base.take(pa.array(problems[chosen] * 7 % DIFFERENT))
        table = table.set_column(0, PUBLISHED_SCHEMA.field("id"), pa.array(ids))
        pq.write_table(
            table, folder / f"train-{number:05d}-of-{len(shards):05d}.parquet", row_group_size=256, **WRITER_OPTIONS
        )


def _rows(settings: Settings) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    made = []
    for number in range(DIFFERENT):
        count = int(rng.integers(4, 13))
        length = max(settings.characters // (5 * count), 1)
        wrong = int(rng.integers(1, 2 * count))
        steps = [
            step(
                " ".join(rng.choice(WORDS, length)) + f" $x_{at} = {number}$",
                int(rng.integers(1, 17)) if at < wrong else 0,
            )
            for at in range(count)
        ]
        pictures = [{"bytes": picture(number, 320, 240), "path": "x.png"}]
        made.append(row(number, 0, steps, source=f"source-{number % 39}", images=pictures))
    return made


def _measure(uri: str, problem: int) -> dict[str, float]:
    from starlette.testclient import TestClient

    from stages.browse.app import create_app
    from stages.browse.places import find, open_all

    def timed(call: Callable[[], Any]) -> tuple[Any, float]:
        began = time.perf_counter()
        return call(), time.perf_counter() - began

    given = find([uri])
    opened, index_s = timed(lambda: open_all(given))
    _, again_s = timed(lambda: open_all(find([uri])))
    client = TestClient(create_app(given, opened))
    found = {"index_s": index_s, "again_s": again_s, "solutions": len(opened[0].index)}
    name = f"{problem:032x}"
    for key, path in (
        ("page_s", "/c/0/"),
        ("filter_s", "/c/0/?worth=few-successes&source=source-7"),
        ("sorted_s", "/c/0/?pattern=mixed&sort=suspicious"),
        ("text_s", "/c/0/?q=red+higher+1999"),
        ("problem_s", f"/c/0/problem?id={name}&pattern=mixed&sort=suspicious"),
        ("thumbnail_s", f"/c/0/small/{problem}"),
        ("overview_s", "/c/0/overview"),
    ):
        answer, found[key] = timed(lambda path=path: client.get(path))  # type: ignore[misc]
        assert answer.status_code == 200, path
    found["memory_gb"] = psutil.Process().memory_info().rss / 1e9
    return found


BENCHMARK = Benchmark(
    on="{solutions:,.0f} solutions in {problems} problems, 15 files",
    figures=(
        Figure("index, once", "index_s", unit="s", at_most=120),
        Figure("opening again", "again_s", unit="s"),
        Figure("first page of the list", "page_s", unit="s", at_most=3),
        Figure("a filter", "filter_s", unit="s", at_most=1.5),
        Figure("a filter, most suspicious first", "sorted_s", unit="s", at_most=1.5),
        Figure("three words in all texts", "text_s", unit="s", at_most=6),
        Figure("a problem", "problem_s", unit="s", at_most=0.5),
        Figure("a small picture", "thumbnail_s", unit="s"),
        Figure("the overview", "overview_s", unit="s"),
        Figure("memory of the server", "memory_gb", unit="GB", at_most=1),
    ),
    settings=Settings,
    measure=measure,
    on_request=True,
)
