"""What two nodes do beside one: problems/s, the driver's CPU time, and the bytes that cross between them.

    python -m benchmarks cluster                               # engines that need no CPU to speak of
    python -m benchmarks cluster engine_tokens_per_second=null # engines as fast as the machine: its cores are the bound

Both nodes are raylets on this machine (tests/cluster/nodes.py), and the made-up problems those of `capacity`. Each engine has
a declared GPU of its own, so that there is one a node.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import yaml

from benchmarks import capacity
from benchmarks.capacity import SETTLED
from benchmarks.shape import Benchmark, Figure
from pipeline.config import load_config
from pipeline.settings import Strict
from pipeline.store import Store
from tests.cluster.nodes import Cluster, cluster_of
from tests.places import ROOT

STORE_BYTES = 1_000_000_000
"""Of each node's object store: far more than what is under way, as on a real node."""


class Settings(Strict):
    """What is measured."""

    problems: int = 600
    """Problems on one node; on two twice as many."""
    draws: int = 40
    """Draws a problem."""
    rows_per_block: int = 8
    """See `ray.rows_per_block`."""
    max_in_flight: int = 64
    """See `engine.max_in_flight`."""
    image_bytes: int = 20_000
    """Of each problem's picture, about."""
    engine_tokens_per_second: float | None = 60_000
    """Of each engine, so that two of them fit this machine's cores; null for no limit."""

    def config(self, folder: Path, address: str, nodes: int) -> dict[str, Any]:
        made_up = capacity.Settings(
            problems=self.problems * nodes,
            draws=self.draws,
            rows_per_block=self.rows_per_block,
            engines=nodes,
            max_in_flight=self.max_in_flight,
            image_bytes=self.image_bytes,
            engine_tokens_per_second=self.engine_tokens_per_second,
        ).config(folder)
        made_up["engine"]["gpus"] = 1
        made_up["ray"]["address"] = address
        return made_up


def measure(settings: Settings) -> dict[str, float]:
    """Runs the command on one node, then on two."""
    with (
        tempfile.TemporaryDirectory(prefix="cluster-") as name,
        cluster_of(Path(name, "nodes"), 1, STORE_BYTES) as cluster,
    ):
        one = _run(Path(name, "one"), settings, cluster, 1)
        cluster.start(1)
        two = _run(Path(name, "two"), settings, cluster, 2)
    return {
        "one_per_s": one["problems_per_s"],
        "two_per_s": two["problems_per_s"],
        "twice_one_per_s": 2 * one["problems_per_s"],
        **{f"two_{key}": value for key, value in two.items() if key != "problems_per_s"},
        "one_driver_ms": one["driver_ms"],
    }


def _run(folder: Path, settings: Settings, cluster: Cluster, nodes: int) -> Mapping[str, float]:
    folder.mkdir()
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(settings.config(folder, cluster.address, nodes)))
    config = load_config(path)
    store = Store(config.run_dir)
    command = [sys.executable, "-m", "pipeline.cli", "dataset", str(path)]
    seen: list[tuple[float, int, float, float]] = []
    known: dict[str, int] = {}
    with (folder / "log").open("wb") as log:
        environment = {**cluster.environment(), "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder)
        driver = psutil.Process(process.pid)
        while process.poll() is None:
            for file in set(store.checkpoint_files()) - known.keys():
                known[file] = pq.read_metadata(file).num_rows
            times = driver.cpu_times()
            seen.append(
                (
                    time.time(),
                    sum(known.values()),
                    times.user + times.system,
                    float(crossed(_sockets(), cluster.homes() | {process.pid: 0})),
                )
            )
            time.sleep(0.5)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{(folder / 'log').read_text()[-3000:]}")
    problems = settings.problems * nodes
    first = next(row for row in seen if row[1] >= SETTLED * problems)
    last = next((row for row in seen if row[1] == problems), seen[-1])
    done, seconds = last[1] - first[1], last[0] - first[0]
    return {
        "problems_per_s": done / seconds,
        "driver_ms": (last[2] - first[2]) / done * 1e3,
        "crossed_kb": (last[3] - first[3]) / done / 1e3,
    }


def _sockets() -> str:
    """What the kernel knows of connections, with what each has sent and whose it is; two lines a connection."""
    return subprocess.run(
        ["ss", "-tinp"], capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C"}
    ).stdout


_END = re.compile(r"(\S+:\d+)\s+(\S+:\d+)\s+users:\(\([^\n]*?pid=(\d+)[^\n]*\n(?:[^\n]*?bytes_sent:(\d+))?")


def crossed(sockets: str, homes: Mapping[int, int]) -> int:
    """Bytes that were sent between processes of two nodes, going by connections that are open. Pure.

    Args:
        homes: the node of each process, by its id. All are on one machine, so both ends of a connection are in `sockets`.
    """
    ends = {(here, there): (int(pid), int(sent or 0)) for here, there, pid, sent in _END.findall(sockets)}
    return sum(
        sent
        for (here, there), (pid, sent) in ends.items()
        if (other := ends.get((there, here))) is not None and len({homes.get(pid), homes.get(other[0])} - {None}) == 2
    )


BENCHMARK = Benchmark(
    on="{problems:,} problems a node of {draws} draws, {rows_per_block} a block, one scripted engine of "
    "{engine_tokens_per_second} tokens/s a node; two raylets of one machine",
    figures=(
        Figure("problems/s on two nodes / twice those on one", "two_per_s", "twice_one_per_s", at_least=0.9),
        Figure("problems/s on one node", "one_per_s"),
        Figure("problems/s on two nodes", "two_per_s"),
        Figure("driver's CPU ms a problem on one node", "one_driver_ms"),
        Figure("driver's CPU ms a problem on two nodes", "two_driver_ms"),
        Figure("kB a problem between the nodes", "two_crossed_kb"),
    ),
    settings=Settings,
    measure=measure,
    on_request=True,
)
