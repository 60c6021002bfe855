"""Engines that were stopped or hang, as their counters show them. On Ray: tests/integration/test_sick.py."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.errors import StartError
from pipeline.store import Store
from stages.annotate import watch as watching
from stages.annotate.watch import Watch, end_process, end_stopped_workers, hangs_ended, process_row

ENGINE = {"steps": 10, "batch_tokens": 200, "prompt_tokens": 300, "answered": 4}


def row(updated: float = 0.0, begun: tuple[str, ...] = ("a",), pid: int = 1, **more: Any) -> dict[str, Any]:
    """What an engine that works on `begun` wrote at `updated`."""
    process = {"node": "n", "host": "h", "pid": pid, "created": 5.0}
    counted = {"problems": 3, "judged": 8, "ready": True, "engine": ENGINE}
    return {"process": process, "begun": list(begun), "updated": updated, **counted, **more}


def never() -> int:
    raise AssertionError("only idle engines make the ledger's age matter")


def test_an_engine_that_steps_is_left_alone() -> None:
    watch = Watch(60.0)
    for now in range(0, 1000, 10):
        assert watch.silent([row(now, engine={**ENGINE, "steps": now})], never, now) == []


@pytest.mark.parametrize("moving", ["answered", "prompt_tokens", "batch_tokens", "judged", "problems"])
def test_so_is_one_in_which_anything_moves(moving: str) -> None:
    watch = Watch(60.0)
    for now in range(0, 1000, 10):
        engine = {**ENGINE, moving: now}
        assert watch.silent([{**row(now), "engine": engine, moving: now}], never, now) == []


def test_an_engine_whose_requests_wait_for_too_long_is_found() -> None:
    """Its process lives and writes counters, but the engine's own was stopped."""
    watch = Watch(60.0)
    assert all(watch.silent([row(now)], never, now) == [] for now in range(0, 61, 10))
    assert watch.silent([row(70)], never, 70) == [row(70)]
    watch.repeat(row(70))
    assert all(watch.silent([row(now)], never, now) == [] for now in range(80, 141, 10))
    assert watch.silent([row(150)], never, 150) == [row(150)]


def test_only_the_one_that_hangs_is_found() -> None:
    watch = Watch(60.0)
    for now in range(0, 71, 10):
        moving = row(now, pid=2, engine={**ENGINE, "steps": now})
        found = watch.silent([row(now), moving], never, now)
    assert found == [row(70)]


@pytest.mark.parametrize(("begun", "ready"), [(("a",), True), ((), True), ((), False)])
def test_a_process_that_writes_nothing_is_found_whatever_it_does(begun: tuple[str, ...], ready: bool) -> None:
    watch = Watch(60.0)
    stopped = row(3.0, begun, ready=ready)
    assert all(watch.silent([stopped], lambda: 7, now) == [] for now in range(0, 61, 10))
    assert watch.silent([stopped], lambda: 7, 70) == [stopped]


def test_an_engine_may_start_for_as_long_as_it_takes() -> None:
    watch = Watch(60.0)
    assert all(watch.silent([row(now, (), ready=False)], never, now) == [] for now in range(0, 1000, 10))


def test_engines_that_idle_while_nothing_is_committed_are_not_to_blame() -> None:
    watch = Watch(60.0)
    for now in range(0, 601, 10):
        assert watch.silent([row(now, ())], partial(int, now // 30), now) == []
    assert all(watch.silent([row(now, ())], lambda: 20, now) == [] for now in range(610, 661, 10))
    assert watch.silent([row(670, ())], lambda: 20, 670) is None
    watch.repeat()
    assert watch.silent([row(680, ())], lambda: 20, 680) == []


def test_a_dead_engine_hides_no_stall() -> None:
    """Its last counters stay."""
    watch, dead = Watch(60.0), row(0, ("a",), pid=2)
    found = [watch.silent([dead, row(now, ())], lambda: 20, now) for now in range(0, 200, 10)]
    for result in found:
        if result:
            assert result == [dead]
    watch.repeat(dead)
    assert watch.silent([dead, row(200, ())], lambda: 20, 200) is None


SLEEPERS = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def test_a_stopped_process_is_ended_with_what_it_started() -> None:
    parent = subprocess.Popen([sys.executable, "-c", SLEEPERS], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    created = psutil.Process(parent.pid).create_time()
    os.kill(parent.pid, signal.SIGSTOP)
    assert end_process(parent.pid, created - 100) == 0, "another process that got the same number"
    assert child.is_running()
    assert end_process(parent.pid, created) == 2
    assert parent.wait(30) == -signal.SIGKILL
    psutil.wait_procs([child], 30)
    assert not child.is_running()
    assert end_process(parent.pid, created) == 0


def test_only_stopped_siblings_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    stopped, working = subprocess.Popen(command), subprocess.Popen(command)
    os.kill(stopped.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, stopped.pid, os.WSTOPPED | os.WNOWAIT)
    monkeypatch.setattr(watching.os, "getppid", os.getpid)
    try:
        assert end_stopped_workers() == 1
        assert stopped.wait(30) == -signal.SIGKILL
        assert working.poll() is None
    finally:
        working.kill()
        working.wait()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path))


def counters(monkeypatch: pytest.MonkeyPatch, store: Store, *begun: str, living: bool = False) -> None:
    """What the store's only engine writes: the same each time, or the time, too."""
    monkeypatch.setattr(store, "progress", lambda: [row(time.monotonic() if living else 0.0, begun)])


def test_the_hanging_engines_problems_are_noted_and_its_process_ended(
    store: Store, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ended: list[tuple[Any, ...]] = []

    def on_node(*arguments: Any) -> int:
        ended.append(arguments)
        return 2

    monkeypatch.setattr(watching, "on_node", on_node)
    counters(monkeypatch, store, "a", "b")
    with hangs_ended(store, 0.2):
        while not ended:
            time.sleep(0.05)
    assert ended[0] == ("n", end_process, 1, 5.0)
    assert store.lost_engines() == {"a": len(ended), "b": len(ended)}
    assert (
        "made no progress for 0 s (process 1 on h): it is ended, and its problems are tried again"
        in capfd.readouterr().err
    )


def test_a_process_that_is_gone_costs_its_problems_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def on_node(*arguments: Any) -> int:
        asked.append(arguments)
        return 0

    monkeypatch.setattr(watching, "on_node", on_node)
    counters(monkeypatch, store, "a", "b")
    with hangs_ended(store, 0.2):
        while not asked:
            time.sleep(0.05)
    assert store.lost_engines() == {}


def test_a_hang_that_no_engine_is_to_blame_for_ends_the_run(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    monkeypatch.setattr(ray, "nodes", lambda: [{"NodeID": "n", "Alive": True}, {"NodeID": "gone", "Alive": False}])
    answers = [3, 0]
    asked: list[Any] = []

    def on_node(*arguments: Any) -> int:
        asked.append(arguments)
        return answers[len(asked) - 1]

    monkeypatch.setattr(watching, "on_node", on_node)

    counters(monkeypatch, store, living=True)

    def run() -> None:
        with hangs_ended(store, 0.2):
            time.sleep(60)

    with pytest.raises(StartError, match=r"nothing was committed for 0 s \(engine.timeout_s\): Ray hangs"):
        run()
    assert asked == [("n", end_stopped_workers)] * 2


def test_a_process_names_itself() -> None:
    named = process_row()
    assert (named["pid"], named["node"]) == (os.getpid(), None)
    assert end_process(named["pid"], named["created"] + 100) == 0
