"""What becomes of Ray's processes on this machine, played by sleepers. With Ray: tests/integration/test_sick.py."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest
import ray

from pipeline.errors import StartError
from pipeline.stopping import node as nodes
from pipeline.stopping.node import Node, children, end, leave_ray, node_watched
from tests.waiting import wait_until

PROGRAM = """
import subprocess, sys, time
open(f"/proc/self/comm", "w").write(sys.argv[1])
if sys.argv[2:]:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("ready", flush=True)
time.sleep(600)
"""


@contextmanager
def process(name: str, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of that name, with a child if there is `more`."""
    with subprocess.Popen([sys.executable, "-c", PROGRAM, name, *more], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"ready\n"
        family = [psutil.Process(running.pid), *psutil.Process(running.pid).children(recursive=True)]
        try:
            yield running
        finally:
            nodes.kill(family)


@pytest.mark.parametrize(
    ("number", "what"), [(signal.SIGKILL, "ended"), (signal.SIGSTOP, "was stopped"), (signal.SIGTERM, "ended")]
)
def test_a_node_that_loses_a_part_ends_the_body_and_all_of_itself(
    number: int, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "INTERVAL_S", 0.1)
    others = children()
    with process("raylet", "worker") as raylet, process("gcs_server") as gcs:
        family = children() - others
        assert len(family) == 3
        node = Node(others)

        def work() -> None:
            with node_watched(node):
                wait_until(lambda: len(node.known) == 3)
                os.kill(gcs.pid, number)
                time.sleep(60)

        with pytest.raises(StartError, match=f"Ray's node on this machine is gone: its gcs_server {what}"):
            work()
        assert raylet.wait(30) == -signal.SIGKILL
        psutil.wait_procs(family, 30)
        assert not [one for one in family if one.is_running()]


def test_what_the_body_starts_itself_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    others = children()
    with process("raylet", "worker") as raylet:
        node = Node(others)
        with process("mine") as mine, node_watched(node):
            leave_ray(node)
            assert raylet.poll() is not None
            assert mine.poll() is None
        assert not [one for one in node.known if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def test_a_shutdown_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "shutdown", lambda: time.sleep(60))
    monkeypatch.setattr(nodes, "SHUTDOWN_S", 0.1)
    unregistered: list[object] = []
    monkeypatch.setattr(nodes.atexit, "unregister", unregistered.append)
    others = children()
    with process("raylet") as raylet:
        before = time.monotonic()
        leave_ray(Node(others))
        assert time.monotonic() - before < 50
        assert unregistered, "it would hang again at the end"
        assert raylet.poll() is not None


def test_a_stopped_process_is_ended_too() -> None:
    with process("raylet") as raylet:
        os.kill(raylet.pid, signal.SIGSTOP)
        end([psutil.Process(raylet.pid)])
        assert raylet.poll() is not None
