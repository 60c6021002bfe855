"""The counters that an engine writes while it works."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pipeline.engine.gauges import Gauges
from pipeline.errors import UserError
from pipeline.store import Store
from stages.annotate.counters import Meter
from tests.waiting import wait_until


class FailingStore(Store):
    """Refuses its first two writes, each in a way of its own."""

    refusals: list[Exception]

    def write_json(self, name: str, value: Any) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        super().write_json(name, value)


def test_a_write_that_fails_is_told_once_and_the_next_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("stages.annotate.counters.INTERVAL_S", 0.02)
    store = FailingStore(str(tmp_path))
    store.refusals = [OSError(5, "Input/output error"), UserError("no space left")]
    Meter(store).ready(Gauges())
    wait_until(store.progress)
    assert [row["problems"] for row in store.progress()] == [0]
    assert capfd.readouterr().err == "progress can't be written for now: [Errno 5] Input/output error\n"


def test_a_watch_learns_what_is_under_way_from_before_the_engines_start(tmp_path: Path) -> None:
    begun = {"b", "a"}
    meter = Meter(Store(str(tmp_path)), begun=begun.copy, judged=lambda: 7)
    row = meter.snapshot()
    assert (row["ready"], row["begun"], row["judged"], row["problems"]) == (False, ["a", "b"], 7, 0)
    assert row["process"]["pid"] == os.getpid()
    assert row["process"]["node"] is None, "not in Ray"
    began = row["started"]
    gauges = Gauges(steps=3)
    gauges.begin()
    gauges.end()
    meter.ready(gauges)
    row = meter.snapshot()
    assert row["ready"]
    assert row["started"] > began, "the engine's start counts in no rate"
    assert (row["engine"]["steps"], row["engine"]["answered"]) == (3, 1)
