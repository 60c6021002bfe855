"""What publishing and `status` cost on a stand-in run, and how their memory grows with it.

    python -m benchmarks publishing                          # 56,500 solutions beside half of them
    python -m benchmarks publishing problems=141250 --repeat 1

The baseline is pyarrow alone: reading the columns that publishing reads, writing the row groups that it wrote.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.shape import Benchmark, Figure
from benchmarks.stand_in import SOLUTIONS, write_run
from pipeline.settings import Strict
from pipeline.store import Store
from stages.publish.entries import COLUMNS
from stages.publish.rows import PROBLEM_COLUMNS
from stages.publish.shards import WRITER_OPTIONS

PART = 2
"""The smaller run, to which the larger one's memory is compared, has this fraction of its problems: enough that its ledger,
too, is sorted in parts."""


class Settings(Strict):
    """What is measured."""

    problems: int = 14_125
    """Problems, of four solutions each."""
    image_bytes: int = 4_000
    """Of each problem's picture, which is noise."""


@dataclass(frozen=True)
class Spent:
    """CPU seconds and peak memory (GB) of a process."""

    cpu: float
    memory: float


def measure(settings: Settings) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, problems in (("small", settings.problems // PART), ("large", settings.problems)):
        with tempfile.TemporaryDirectory(prefix="publishing-") as folder:
            store = write_run(Path(folder), problems, settings.image_bytes)
            published, status = spent("publish", store.uri), spent("status", store.uri)
            found |= {f"{name}_publish_gb": published.memory, f"{name}_status_gb": status.memory}
            if name == "large":
                found |= {"publish_s": published.cpu, "status_s": status.cpu}
                found["plain_s"] = _plain(store, Path(folder) / "data")
    millions = SOLUTIONS * (settings.problems - settings.problems // PART) / 1e6
    for command in ("publish", "status"):
        found[f"{command}_slope"] = (found[f"large_{command}_gb"] - found[f"small_{command}_gb"]) / millions
    return {**found, "solutions": SOLUTIONS * settings.problems}


def spent(*words: str) -> Spent:
    """By a command."""
    command = [sys.executable, "-c", _WEIGHING, sys.executable, "-m", "pipeline.cli", *words]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout.split()
    if len(said) != 2:
        raise SystemExit(f"{' '.join(words)} failed")
    return Spent(float(said[0]), int(said[1]) / 1e6)


# In a small process: the peak of a new one counts from that of the process that started it.
_WEIGHING = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(*() if status else (usage.ru_utime + usage.ru_stime, usage.ru_maxrss))
"""


def _plain(store: Store, data: Path) -> float:
    """CPU seconds of pyarrow alone."""
    start = time.process_time()
    _read(store.ledger_files(), COLUMNS)
    _read(store.problem_files(), PROBLEM_COLUMNS)
    return time.process_time() - start + written_again(data)


def written_again(data: Path) -> float:
    """CPU seconds of pyarrow to write a dataset's row groups, to the same disk."""
    found = 0.0
    for shard in sorted(data.glob("*.parquet")):
        again = shard.with_suffix(".again")
        with pq.ParquetFile(shard) as file, pq.ParquetWriter(again, file.schema_arrow, **WRITER_OPTIONS) as out:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group)
                start = time.process_time()
                out.write_table(table, row_group_size=len(table))
                found += time.process_time() - start
        again.unlink()
    return found


def _read(paths: Sequence[str], columns: Sequence[str]) -> None:
    for path in paths:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                file.read_row_group(group, columns=list(columns), use_threads=False)


BENCHMARK = Benchmark(
    on="{solutions:,.0f} solutions of a stand-in run, pictures of {image_bytes} bytes",
    figures=(
        Figure(
            "CPU of `visualprm publish`, its start included, against pyarrow's",
            "publish_s",
            "plain_s",
            "s",
            at_most=1.6,
        ),
        Figure("peak memory of `visualprm publish`", "large_publish_gb", unit="GB", at_most=1.5),
        Figure("… its growth with a million solutions", "publish_slope", unit="GB", at_most=0.2),
        Figure("CPU of `visualprm status`", "status_s", unit="s"),
        Figure("peak memory of `visualprm status`", "large_status_gb", unit="GB", at_most=1.5),
        Figure("… its growth with a million solutions", "status_slope", unit="GB", at_most=0.2),
    ),
    settings=Settings,
    measure=measure,
    on_request=True,
)
