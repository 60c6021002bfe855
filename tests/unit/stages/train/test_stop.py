"""Signals that ask a training to stop, in this process and in those that load its data."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from stages.train.stop import Stop, outlive_signals, stopped_by_signals
from tests.waiting import wait_until


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks_and_the_second_stops_at_once(number: signal.Signals) -> None:
    before, stop = signal.getsignal(number), Stop()
    with stopped_by_signals(stop):
        assert not stop.asked
        signal.raise_signal(number)
        assert stop.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_workers_elsewhere_are_asked_by_a_file(tmp_path: Path) -> None:
    here, there = Stop(tmp_path / "stop"), Stop(tmp_path / "stop")
    with stopped_by_signals(here):
        signal.raise_signal(signal.SIGTERM)
    assert there.asked
    here.forget()
    assert not there.asked
    assert here.asked


def test_outside_the_main_thread_signals_stay_what_they_are() -> None:
    before, seen = signal.getsignal(signal.SIGTERM), []

    def look() -> None:
        with stopped_by_signals(Stop()):
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [before]


def _load(ready: Connection) -> None:
    outlive_signals()
    ready.send(True)
    time.sleep(600)


def _send_both(target: int) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(target, number)


def test_a_process_that_loads_data_is_ended_by_its_parent_alone() -> None:
    fork = multiprocessing.get_context("fork")
    ready, other = fork.Pipe()
    loader = fork.Process(target=_load, args=(other,), daemon=True)
    loader.start()
    ready.recv()
    stranger = fork.Process(target=_send_both, args=(loader.pid,))
    stranger.start()
    stranger.join()
    loader.join(1.0)
    assert loader.is_alive()
    loader.terminate()
    wait_until(lambda: not loader.is_alive(), 60)
    assert loader.exitcode == 0
