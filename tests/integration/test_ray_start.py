"""Ray on a machine too busy for it: a node that registers too late is ended, and the next try starts."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.integration.conftest import environment
from tests.places import ROOT

PROGRAM = """
import time
import psutil, ray
from ray._private import node, services
from pipeline.cluster import session as cluster

registered = services.get_node

def not_yet(*_):
    raise RuntimeError("not registered")

class Clock:
    # Ray's 30 seconds for a node to register are over after 3 milliseconds.
    def __getattr__(self, name):
        return getattr(time, name)
    def monotonic(self):
        return 10_000 * time.monotonic()

class Waits:
    # Between the tries.
    def sleep(seconds):
        node.time, services.get_node = time, registered
        print("left:", *(process.name() for process in psutil.Process().children(recursive=True)))

node.time, services.get_node, cluster.time = Clock(), not_yet, Waits
with cluster.ray_at(None):
    print("answer:", ray.get(ray.remote(lambda: 6 * 7).remote()))
"""


@pytest.mark.more
def test_a_node_that_registers_too_late_is_ended_and_started_again() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines() == ["left:", "answer: 42"]
    assert "Ray did not start (The current node timed out during startup." in done.stderr
    assert "try 2 of 3 follows in 10 s" in done.stderr
