"""Runs on real vLLM servers: the shards are those of a run inside, whatever becomes of the servers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.kills import digests
from benchmarks.policy_server import Server, servers
from tests.integration.conftest import environment, run
from tests.places import ROOT
from tests.waiting import wait_until

pytestmark = [pytest.mark.more, pytest.mark.timeout(3000)]
SMALL = ["sources.0.kwargs.count=16", "rollout.num_draws=8", "ray.rows_per_block=2", "engine.max_in_flight=4"]


def demo(folder: Path, *more: str) -> list[str]:
    places = [f"run_dir={folder / 'run'}", f"output_dir={folder / 'data'}"]
    return ["dataset", "configs/demo.yaml", *SMALL, *places, *more]


def on(two: list[Server]) -> list[str]:
    return ["engine.kind=server", f"engine.urls=[{', '.join(one.url for one in two)}]", "engine.wait_s=4"]


def shards(folder: Path) -> dict[str, str]:
    return {name: digest for name, digest in digests(folder / "data").items() if name.endswith(".parquet")}


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("inside")
    done = run(*demo(folder), timeout=1500)
    assert done.returncode == 0, done.stderr[-3000:]
    return shards(folder)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, inside: dict[str, str]) -> Iterator[list[Server]]:
    """Not while the run inside computes: three engines on two cores are slower than one after the other."""
    with servers(2, tmp_path_factory.mktemp("servers")) as found:
        yield found


def disturbed(folder: Path, words: list[str], disturb: Callable[[], None]) -> tuple[int, str]:
    """Status and output of the command, during which something happens once its first block is committed."""
    log, checkpoint = folder / "log", folder / "run" / "checkpoint"
    before = set(checkpoint.glob("*.parquet"))
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.cli", *demo(folder, *words)],
            cwd=ROOT,
            stdout=out,
            stderr=out,
            env=environment(),
        )
        try:
            wait_until(lambda: set(checkpoint.glob("*.parquet")) - before or process.poll() is not None)
            disturb()
            status = process.wait(900)
        finally:
            process.kill()
    return status, log.read_text()


def test_servers_may_die_and_the_shards_are_those_of_a_run_inside(
    inside: dict[str, str], two: list[Server], tmp_path: Path
) -> None:
    one, other = two
    for name, victim in (("one dies", other), ("both die", one)):
        folder = tmp_path / name
        folder.mkdir()
        status, said = disturbed(folder, on(two), victim.kill)
        if name == "one dies":
            assert status == 0, said[-3000:]
            assert f"{other.url} is left out for now: " in said
            assert shards(folder) == inside
    assert status == 1, said[-3000:]
    lines = [line for line in said.splitlines() if line.startswith("visualprm: ")]
    assert len(lines) == 1
    assert "none of 2 servers has answered for 4 s (engine.wait_s), the last: http://127.0.0.1:" in lines[0]
    assert lines[0].endswith("; the same command resumes from here")
    assert "Traceback" not in said
    one.start()
    one.wait()
    done = run(*demo(folder, *on(two)))
    assert done.returncode == 0, done.stderr[-3000:]
    assert shards(folder) == inside
