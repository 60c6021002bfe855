"""How a command that is stopped by its user leaves."""

from __future__ import annotations

import signal
import subprocess
import sys

import psutil
import pytest

from tests.places import ROOT
from tests.waiting import wait_until

PROGRAM = """
import os, signal, subprocess, sys, time
from pipeline.stopping.signals import stop_by_signals
if sys.argv[1] == "ignored":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
else:
    # The tests themselves may have been started to ignore them.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
stop_by_signals()
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
try:
    print(child.pid, flush=True)
    time.sleep(600)
except KeyboardInterrupt:
    print("leaving", flush=True)
    if sys.stdin.readline():
        child.kill()
        child.wait()
    else:
        time.sleep(600)
"""


@pytest.fixture
def running(request: pytest.FixtureRequest):  # type: ignore[no-untyped-def]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, getattr(request, "param", "")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_stops_and_the_second_changes_nothing(number: int, running: subprocess.Popen[str]) -> None:
    assert running.stdout is not None
    assert int(running.stdout.readline())
    running.send_signal(number)
    assert running.stdout.readline() == "leaving\n"
    running.send_signal(number)
    out, err = running.communicate("go on\n", 30)
    assert (running.returncode, out) == (0, "")
    assert err == "\nvisualprm: stopping already, which may take a minute; once more to end at once\n"


def test_a_third_one_ends_it_with_what_it_started(running: subprocess.Popen[str]) -> None:
    assert running.stdout is not None
    assert running.stdin is not None
    child = int(running.stdout.readline())
    running.send_signal(signal.SIGTERM)
    assert running.stdout.readline() == "leaving\n"
    running.stdin.close()
    running.send_signal(signal.SIGTERM)
    assert running.stderr is not None
    assert running.stderr.readline() + running.stderr.readline()
    running.send_signal(signal.SIGHUP)
    assert running.wait(30) == 130
    wait_until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


@pytest.mark.parametrize("running", ["ignored"], indirect=True)
def test_what_it_was_started_to_ignore_it_ignores(running: subprocess.Popen[str]) -> None:
    """As under `nohup`."""
    assert running.stdout is not None
    running.stdout.readline()
    running.send_signal(signal.SIGHUP)
    running.send_signal(signal.SIGTERM)
    assert running.stdout.readline() == "leaving\n"
    _, err = running.communicate("go on\n", 30)
    assert (running.returncode, err) == (0, "")
