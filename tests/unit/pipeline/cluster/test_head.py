"""A head that answers, misses a question, or is gone."""

from __future__ import annotations

import threading
import time

import pytest

from pipeline.cluster import head as heads
from pipeline.cluster.head import head_watched
from pipeline.errors import StartError


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
    gone = threading.Event()
    with head_watched("auto", "10.0.0.1:6379", gone):
        time.sleep(0.5)
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
