"""Ray's own processes on this machine: a run ends when one of them does, or was stopped, and none of them is left behind.

Ray itself notices late (a stopped raylet after half a minute, a lost GCS after a minute, by ending the driver too) or not
at all (a stopped GCS).
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress

import psutil

from pipeline.errors import StartError
from pipeline.stopping.interrupt import Stop, watched

NAMES = ("raylet", "gcs_server")
"""Without one of these a node of Ray does nothing. The workers are the raylet's children, engines the workers'."""
INTERVAL_S = 2.0
SHUTDOWN_S = 30.0
"""For Ray to end in order."""


class Node:
    """What `ray.init` has started in this process, and all that this has started since.

    Args:
        others: children of this process from before.
    """

    def __init__(self, others: Collection[psutil.Process]) -> None:
        self._started = children() - set(others)
        self._vital = {process: name for process in self._started if (name := _name(process)) in NAMES}
        self.known = set(self._started)

    def look(self) -> None:
        """Remembers what runs now: a worker whose raylet ends is nobody's child any more."""
        for process in self._vital:
            with suppress(psutil.NoSuchProcess):
                self.known.update(process.children(recursive=True))

    def complaint(self) -> str | None:
        """What is wrong with the node, if anything is."""
        for process, name in self._vital.items():
            if (what := _ill(process)) is not None:
                return f"Ray's node on this machine is gone: its {name} {what}"
        return None


@contextmanager
def node_watched(node: Node) -> Iterator[None]:
    """
    Raises:
        StartError: a process of the node ended or was stopped; then all of them were ended, and the body was stopped.
    """

    def look(interrupt: Stop) -> bool:
        node.look()
        if (complaint := node.complaint()) is None:
            return False
        # First: then nothing in this process waits for them, and their workers have no one to work for.
        kill(node.known)
        interrupt(StartError(complaint))
        return True

    with watched(look, INTERVAL_S, "node"):
        yield


def leave_ray(node: Node | None, within_s: float | None = None) -> None:
    """`ray.shutdown`, but bounded in time (`SHUTDOWN_S`, or less); and of a node of our own no process stays."""
    import ray
    from ray._private import worker

    within_s = SHUTDOWN_S if within_s is None else within_s
    if node:
        node.look()
    # Where it waits for a process that is gone, it does so in another thread.
    thread = threading.Thread(target=ray.shutdown, daemon=True, name="leave-ray")
    thread.start()
    thread.join(within_s)
    if node:
        end(node.known)
        thread.join(within_s)
    if thread.is_alive():
        # Nor when the interpreter ends.
        atexit.unregister(worker.shutdown)


def children() -> set[psutil.Process]:
    """Everything that this process has started, and what these have."""
    return set(psutil.Process().children(recursive=True))


def end(processes: Collection[psutil.Process]) -> None:
    """Ends them: in order, and those that don't end so, by force."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
            # One that was stopped hears nothing.
            process.resume()
    _, alive = psutil.wait_procs(processes, timeout=10)
    kill(alive)
    psutil.wait_procs(alive, timeout=10)


def kill(processes: Collection[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _name(process: psutil.Process) -> str | None:
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return None


def _ill(process: psutil.Process) -> str | None:
    try:
        status = process.status()
    except psutil.NoSuchProcess:
        return "ended"
    if status in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
        return "ended"
    return "was stopped" if status in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP) else None
