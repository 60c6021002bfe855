"""One cluster of two nodes for all tests of a file, and drivers that nothing but an address ties to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.kills import digests
from tests.cluster.nodes import FAIR, Cluster, cluster_of
from tests.integration.conftest import scripted
from tests.places import ROOT

SLOW = {"kind": "scripted", "max_in_flight": 2, "args": {"tokens_per_second": 60}}
"""An engine slow enough for a run to be disturbed."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.integration)
            item.add_marker(pytest.mark.trial)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster_of(tmp_path_factory.mktemp("cluster")) as found:
        yield found


@pytest.fixture
def whole(cluster: Cluster) -> Cluster:
    """The cluster with both its nodes, whatever a test before has done to them."""
    cluster.mend()
    return cluster


class Driver:
    """A command that was started in a folder of its own."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        folder.mkdir(exist_ok=True)
        self._said = folder / "said"
        with self._said.open("w") as out:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env={**environment, **FAIR, "PYTHONPATH": str(ROOT)},
                stdout=out,
                stderr=out,
                start_new_session=True,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    @property
    def said(self) -> str:
        """On its terminal."""
        return self._said.read_text()

    def end(self, timeout: float = 600) -> int:
        return self.process.wait(timeout)

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


Start = Callable[..., Driver]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """`start(cluster, *arguments)` → a command under way. Without a cluster it has no token at hand."""
    running: list[Driver] = []

    def begin(cluster: Cluster | None, *arguments: object, **more: str) -> Driver:
        environment = cluster.environment() if cluster else dict(os.environ)
        command = [sys.executable, "-m", "pipeline.cli", *map(str, arguments)]
        running.append(Driver(command, tmp_path / f"driver{len(running)}", {**environment, **more}))
        return running[-1]

    yield begin
    for driver in running:
        driver.kill()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The bytes of the slow run on this machine alone."""
    folder = tmp_path_factory.mktemp("undisturbed")
    command = [sys.executable, "-m", "pipeline.cli", "dataset", str(slow(folder))]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **FAIR, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return digests(folder / "data")


def slow(folder: Path, address: str | None = None, **engine: object) -> Path:
    """A config of 16 problems, which one slow engine on a GPU of its own works on for some 20 seconds."""
    rows = {"name": "rows", "function": "tests.integration.rows:rows", "kwargs": {"count": 16}}
    on_cluster = {"gpus": 1} if address else {}
    settings = {**SLOW, **on_cluster, **engine}
    return scripted(
        folder, sources=[rows], engine=settings, ray={"rows_per_block": 1, "address": address, "wait_s": 60}
    )
