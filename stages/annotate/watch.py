"""Notices an engine that was stopped or hangs, from its counters alone, and ends its process: Ray starts another one.

Its problems are tried again and counted as after a death. A hang that no engine is to blame for ends the run.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psutil

from pipeline.cluster.nodes import on_node
from pipeline.errors import StartError
from pipeline.stopping.interrupt import Stop, watched
from pipeline.store import Store
from pipeline.terminal.speak import say

INTERVAL_S = 10.0
"""Between two looks at the counters, at most."""

_STOPPED = (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)

Row = Mapping[str, Any]
"""What an engine wrote last (`counters.Meter`)."""


def process_row() -> dict[str, Any]:
    """What names this process in a cluster: its Ray `node` and that one's `ip`, its host, its id and when it was `created`."""
    ray = sys.modules.get("ray")
    inside = ray is not None and ray.is_initialized()
    node = ray.get_runtime_context().get_node_id() if ray is not None and inside else None
    ip = ray.util.get_node_ip_address() if ray is not None and inside else None
    me = psutil.Process()
    return {"node": node, "ip": ip, "host": socket.gethostname(), "pid": me.pid, "created": me.create_time()}


@dataclass
class Watch:
    """What was seen so far. `silent` has no other effect."""

    timeout_s: float
    _marks: dict[str, tuple[object, float]] = field(default_factory=dict)

    def silent(self, rows: Sequence[Row], committed: Callable[[], int], now: float) -> list[Row] | None:
        """The engines that have made no progress for too long; None if all of them idle and nothing is committed, either.

        Args:
            committed: How many blocks are in the ledger; asked for only where no engine has anything to do.
            now: Seconds of a clock that never jumps.
        """
        found = [row for row in rows if self._still(_name(row), _mark(row), now)]
        living = [row for row in rows if not self._still(f"{_name(row)} lives", row["updated"], now)]
        idle = bool(living) and all(row["ready"] and not row["begun"] for row in living)
        stalled = self._still(_LEDGER, committed() if idle else now, now)
        return None if stalled and not found else found

    def repeat(self, row: Row | None = None) -> None:
        """An engine, or the ledger where none is given, was dealt with: it has as long again."""
        self._marks.pop(_name(row) if row else _LEDGER, None)

    def _still(self, name: str, mark: object, now: float) -> bool:
        before, since = self._marks.setdefault(name, (mark, now))
        if mark != before:
            self._marks[name] = (mark, now)
        return mark == before and now - since > self.timeout_s


_LEDGER = "ledger"


def _name(row: Row) -> str:
    process = row["process"]
    return f"{process['host']} {process['pid']} {process['created']}"


def _mark(row: Row) -> object:
    """What changes as long as an engine works, or, where it has nothing to do, as long as its process lives."""
    if not row["begun"]:
        return row["updated"]
    engine = row["engine"]
    # A server that answers nobody is no hang: whoever asks it knows when to stop.
    steps = (engine.get(key) for key in ("steps", "batch_tokens", "prompt_tokens", "answered", "faults"))
    return (*steps, row["problems"], row["judged"])


@contextmanager
def hangs_ended(store: Store, timeout_s: float) -> Iterator[None]:
    """Watches the engines' counters while the body runs.

    Raises:
        StartError: nothing moves, and no engine is to blame; the body was stopped.
    """
    watch = Watch(timeout_s)

    def look(end: Stop) -> bool:
        try:
            rows = [row for row in store.progress() if "process" in row]
            silent = watch.silent(rows, lambda: len(store.checkpoint_files()), time.monotonic())
            if silent is None:
                _end_run(store, watch, end)
            for row in silent or ():
                _end_engine(store, row, timeout_s)
                watch.repeat(row)
        except Exception as error:
            # A store or a cluster that does not answer now may do so at the next look.
            say(f"engines can't be watched for now: {error}")
        return False

    with watched(look, min(INTERVAL_S, timeout_s / 4), "watch"):
        yield


def _end_engine(store: Store, row: Row, timeout_s: float) -> None:
    process = row["process"]
    who = f"process {process['pid']} on {process['host']}"
    ended = on_node(process["node"], end_process, process["pid"], process["created"])
    if ended is None:
        say(f"an engine hangs ({who}), and its node does not answer")
    elif ended:
        store.note_lost_engine(row["begun"])
        say(f"an engine made no progress for {timeout_s:.0f} s ({who}): it is ended, and its problems are tried again")


def _end_run(store: Store, watch: Watch, end: Stop) -> None:
    """A worker of Ray that was stopped can be ended, too, and Ray repeats its task. Else the run goes no further."""
    import ray

    nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
    if ended := sum(on_node(node, end_stopped_workers) or 0 for node in nodes):
        watch.repeat()
        say(f"{ended} stopped workers of Ray are ended, and their tasks repeated")
    else:
        end(StartError(f"{store.uri}: all engines idle, problems are left, and nothing was committed for "
                       f"{watch.timeout_s:.0f} s (engine.timeout_s): Ray hangs"))  # fmt: skip


def end_process(pid: int, created: float) -> int:
    """Kills a process of this machine and all that it started; how many were killed, 0 if it is gone."""
    try:
        process = psutil.Process(pid)
        if abs(process.create_time() - created) > 1:
            return 0
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    return sum(map(_killed, family))


def end_stopped_workers() -> int:
    """Kills the workers of this node of Ray that were stopped (SIGSTOP); how many. Runs in one of them."""
    siblings = psutil.Process(os.getppid()).children()
    return sum(_killed(each) for each in siblings if each.is_running() and each.status() in _STOPPED)


def _killed(process: psutil.Process) -> int:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return 0
    return 1
