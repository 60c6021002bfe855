"""A head that answers, misses a question, or is gone."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from pipeline.cluster import head as heads
from pipeline.cluster.head import head_watched
from pipeline.errors import StartError
from tests.places import ROOT
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "INTERVAL_S", 0.01)
    monkeypatch.setattr(heads, "GONE_S", 0.2)


def test_a_head_that_misses_a_question_is_not_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answers(head: str) -> bool:
        asked.append(head)
        return len(asked) % 3 == 0

    monkeypatch.setattr(heads, "head_answers", answers)
    # As after a driver that was stopped for longer than that.
    monkeypatch.setattr(heads, "GONE_S", 0.0)
    gone = threading.Event()
    with head_watched("auto", "10.0.0.1:6379", gone):
        wait_until(lambda: len(asked) > 2 * heads.MISSES)
    assert not gone.is_set()
    assert set(asked) == {"10.0.0.1:6379"}


def test_a_head_that_is_gone_ends_the_body_with_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "head_answers", lambda _: False)
    gone = threading.Event()
    with (
        pytest.raises(StartError, match="the cluster's head is gone"),
        head_watched("auto", "h:1", gone),
    ):
        time.sleep(30)
    assert gone.is_set()


DEAF = """
import signal, threading, time
from pipeline.cluster import head as heads
heads.INTERVAL_S, heads.GONE_S, heads.LEAVE_S, heads.head_answers = 0.01, 0.2, 0.5, lambda _: False
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
with heads.head_watched("auto", "h:1", threading.Event()):
    time.sleep(60)
"""


def test_a_body_that_hears_of_nothing_is_ended_with_the_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", DEAF], cwd=ROOT, capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 1
    assert done.stderr.strip().splitlines() == [
        "ray.address=auto: the cluster's head is gone or does not answer any more"
    ]
