"""A Ray cluster on this machine: each node is a raylet with an address of its own, and knows nothing of this repository."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.waiting import wait_until

MARK = "VISUALPRM_TEST_CLUSTER"
"""In the environment of all that a cluster starts, so that what it leaves is found."""
STORE_BYTES = 100_000_000
"""Of each node's object store."""
FAIR = {"RAY_worker_niceness": "0"}
"""Ray gives way to everything else on a machine: its workers would wait for minutes beside other tests."""


OF_THE_CLUSTER = ("IDLE", "_StatsActor", "_StatsSummaryActor", "ActorLocationTracker", "AutoscalingCoordinatorActor",
                  "AutoscalingRequester", "UsageCollectionActor", "DashboardAgent", "RuntimeEnvAgent")  # fmt: skip
"""Words in the titles of Ray's processes that outlive a driver: those that wait, the detached actors of Ray Data, and a node's
own.
"""


def bare_python(folder: Path, older: str | None = None) -> Path:
    """The interpreter of a copy of this environment by links, without the install of our code.

    The package `older` there says that it is version 0.0.1.
    """
    here = Path(sysconfig.get_path("purelib"))
    there = folder / here.relative_to(sys.prefix)
    there.mkdir(parents=True)
    for path in here.iterdir():
        if "visualprm" not in path.name:
            (there / path.name).symlink_to(path)
    if older:
        (found,) = there.glob(f"{older}-*.dist-info")
        kept = found.resolve()
        found.unlink()
        shutil.copytree(kept, found)
        words = (found / "METADATA").read_text(encoding="utf-8")
        (found / "METADATA").write_text(
            re.sub(r"(?m)^Version: .*$", "Version: 0.0.1", words, count=1), encoding="utf-8"
        )
    (folder / "bin").mkdir()
    for name in ("python", "python3"):
        (folder / "bin" / name).symlink_to(Path(sys.executable).resolve())
    shutil.copy(Path(sys.prefix, "pyvenv.cfg"), folder)
    return folder / "bin" / "python"


class Cluster:
    """Nodes by number; 0 is the head. Close it."""

    def __init__(self, folder: Path, store_bytes: int = STORE_BYTES) -> None:
        self._store_bytes = store_bytes
        # A path of sockets must be short.
        self._temporary = Path(tempfile.mkdtemp(prefix="vp-"))
        self.home = folder / "home"
        (self.home / ".ray").mkdir(parents=True)
        # As `ray get-auth-token --generate` does.
        (self.home / ".ray" / "auth_token").write_text(secrets.token_hex(32))
        self._elsewhere = folder / "elsewhere"
        self._elsewhere.mkdir()
        self.python = bare_python(folder / "env")
        self._nodes: dict[int, subprocess.Popen] = {}
        self._strange: set[int] = set()
        self._known: set[psutil.Process] = set()
        self._log = (folder / "nodes.log").open("a")
        self.address = ""

    def start(
        self, number: int, gpus: int = 1, python: Path | None = None, hidden: Path | None = None, cpus: int = 2
    ) -> None:
        """Starts a node, and waits until it has joined. All of them want the token that lies in `home`.

        Args:
            number: 0 is the head.
            gpus: how many it says that it has.
            python: another interpreter than the cluster's.
            hidden: a folder that is empty for this node, as on a machine that does not share it.
        """
        ip = f"127.0.0.{number + 11}"
        if number == 0:
            self.address = f"{ip}:{_free_port(ip)}"
            place = ["--head", f"--port={self.address.partition(':')[2]}", f"--temp-dir={self._temporary}"]
            place += ["--include-dashboard=false"]
        else:
            place = [f"--address={self.address}"]
        command = [str(python or self.python), "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats", *place,
                   f"--node-ip-address={ip}", f"--num-cpus={cpus}", f"--num-gpus={gpus}",
                   f"--object-store-memory={self._store_bytes}"]  # fmt: skip
        if hidden is not None:
            command = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(hidden), *command]
        kept = {
            name: os.environ[name]
            for name in ("PATH", "LANG", "OMP_NUM_THREADS", "HF_HUB_OFFLINE")
            if name in os.environ
        }
        # One that was killed a moment ago counts as alive for some seconds.
        before = self._alive_there(ip) if number else set()
        self._nodes[number] = subprocess.Popen(
            command,
            cwd=self._elsewhere,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
            env={**kept, **FAIR, "HOME": str(self.home), "RAY_AUTH_MODE": "token", MARK: str(self._temporary)},
        )
        self._strange.discard(number)
        if python or hidden:
            self._strange.add(number)
        wait_until(lambda: self._joined(number, ip, before), 120)

    def kill(self, number: int) -> None:
        """Ends a node with all its processes at once, as when its machine loses power."""
        self.processes()
        started = self._nodes.pop(number)
        # A node whose head is gone ends by itself.
        with contextlib.suppress(psutil.NoSuchProcess):
            node = psutil.Process(started.pid)
            _kill([node, *node.children(recursive=True)])

    def silence_head(self) -> None:
        """Ends the part of the head that drivers and nodes ask; its node lives on."""
        (gcs,) = (each for each in psutil.Process(self._nodes[0].pid).children() if each.name() == "gcs_server")
        gcs.kill()
        self._strange.add(0)

    def mend(self) -> None:
        """Both nodes run, and are as they were at first."""
        if 0 in self._strange or 0 not in self._nodes:
            for number in [*self._nodes]:
                self.kill(number)
            _kill(self.processes())
            self.start(0)
        for number in self._strange & self._nodes.keys():
            self.kill(number)
        if 1 not in self._nodes:
            self.start(1)

    def stop(self) -> None:
        """Ends all nodes, the head last, as their administrator does."""
        self.processes()
        for number in sorted(self._nodes, reverse=True):
            node = self._nodes.pop(number)
            node.terminate()
            node.wait(60)

    def workers(self) -> list[psutil.Process]:
        """Processes that work for a driver."""
        titles = {each: _title(each) for each in self.processes()}
        return [
            each
            for each, title in titles.items()
            if title.startswith("ray::") and not any(word in title for word in OF_THE_CLUSTER)
        ]

    def homes(self) -> dict[int, int]:
        """The node of each process that nodes have started, by its id."""
        found: dict[int, int] = {}
        for number, node in self._nodes.items():
            with contextlib.suppress(psutil.NoSuchProcess):
                one = psutil.Process(node.pid)
                found |= {each.pid: number for each in (one, *one.children(recursive=True))}
        return found

    def processes(self) -> list[psutil.Process]:
        """All that runs of this cluster: what says so, and what that has started, whose environment its title may hide."""
        self._known |= {each for each in psutil.process_iter() if _variable(each, MARK) == str(self._temporary)}
        for process in set(self._known):
            with contextlib.suppress(psutil.NoSuchProcess):
                self._known.update(process.children(recursive=True))
        return [each for each in self._known if each.is_running() and _alive(each)]

    def close(self) -> None:
        for number in sorted(self._nodes, reverse=True):
            self.kill(number)
        _kill(self.processes())
        self._log.close()
        shutil.rmtree(self._temporary, ignore_errors=True)

    def environment(self) -> dict[str, str]:
        """Of a driver: it has the head's token at hand, and says nothing of Ray's mode."""
        token = {"RAY_AUTH_TOKEN_PATH": str(self.home / ".ray" / "auth_token")}
        return {name: text for name, text in os.environ.items() if name != "RAY_AUTH_MODE"} | token

    def _joined(self, number: int, ip: str, before: set[str]) -> bool:
        node = self._nodes[number]
        assert node.poll() is None, f"node {number} did not start: {Path(self._log.name).read_text()[-3000:]}"
        return bool(self._alive_there(ip) - before)

    def _alive_there(self, ip: str) -> set[str]:
        """The ids of the nodes at an address that the head takes for alive."""
        done = subprocess.run(
            [str(self.python), "-c", _ALIVE, self.address, ip],
            env={**self.environment(), "RAY_AUTH_MODE": "token"},
            cwd=self._elsewhere,
            capture_output=True,
            text=True,
        )
        return set(done.stdout.split())


_ALIVE = """
import sys
from ray._private.state import GlobalState
from ray._raylet import GcsClientOptions
state = GlobalState()
state._initialize_global_state(GcsClientOptions.create(sys.argv[1], None, allow_cluster_id_nil=True, fetch_cluster_id_if_nil=False))
alive = (node for node in state.node_table() if node["Alive"])
print(*(node["NodeID"] for node in alive if node["NodeManagerAddress"] == sys.argv[2]))
"""


def _free_port(ip: str) -> int:
    with socket.socket() as found:
        found.bind((ip, 0))
        port: int = found.getsockname()[1]
        return port


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, 30)


def _alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def _variable(process: psutil.Process, name: str) -> str | None:
    try:
        return process.environ().get(name)
    except psutil.Error:
        return None


@contextlib.contextmanager
def cluster_of(folder: Path, nodes: int = 2, store_bytes: int = STORE_BYTES) -> Iterator[Cluster]:
    """A cluster of so many nodes, each with two CPUs and a GPU that it only says it has."""
    cluster = Cluster(folder, store_bytes)
    try:
        for number in range(nodes):
            cluster.start(number)
        yield cluster
    finally:
        cluster.close()
