"""The counters that an engine writes while it works."""

from __future__ import annotations

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
    Meter(store, Gauges())
    wait_until(store.progress)
    assert [row["problems"] for row in store.progress()] == [0]
    assert capfd.readouterr().err == "progress can't be written for now: [Errno 5] Input/output error\n"
