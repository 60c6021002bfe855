"""A run that is past a limit is stopped as a person would stop it, and the reason is one line."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import RunConfig, parse_config
from pipeline.engine.gauges import Gauges
from pipeline.errors import UserError
from pipeline.stopping import interrupt
from pipeline.store import Store
from stages.annotate import limits
from stages.annotate.limits import check_limits, within_limits
from stages.annotate.tally import Tally
from tests.unit.stages.annotate.test_plausible import CUT


def draw_for_long(store: Store, settings: RunConfig, before: Tally, done: int = 0) -> None:
    with within_limits(store, settings, before, done):
        write_counters(store, CUT)
        time.sleep(30)
    raise AssertionError("not stopped")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(limits, "INTERVAL_S", 0.02)
    monkeypatch.setattr(limits, "COMMITTED_S", 0.0)
    return Store(str(tmp_path))


def config(**more: Any) -> RunConfig:
    return parse_config({"name": "r", "sources": [{"name": "a", "path": "x.jsonl"}], "limits": more})


def write_counters(store: Store, tally: Tally) -> None:
    now = time.time()
    row = {"problems": 9, "draws": 9, "tokens": 9, "started": now, "updated": now, "verdicts": {}}
    store.write_json("progress/a.json", {**row, "engine": Gauges().snapshot(), "tally": tally.row()})


def test_counters_past_a_limit_end_the_body(store: Store) -> None:
    with pytest.raises(UserError, match=r"ended early by limits\.truncated=0\.5: 600 of 1,000 draws"):
        draw_for_long(store, config(truncated=0.5), Tally())


def test_what_is_done_is_committed_first(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "COMMITTED_S", 60.0)
    # 2 were done before this call, and 9 are in it; problems that get done later are not waited for.
    committed = iter([2, 6, 10, 11, 99])
    monkeypatch.setattr(Store, "done_ids", lambda _: {str(number) for number in range(next(committed))})
    with pytest.raises(UserError, match=r"limits\.truncated"):
        draw_for_long(store, config(truncated=0.5), Tally(), 2)
    assert next(committed) == 99


def test_a_ledger_that_cannot_be_read_ends_the_run_all_the_same(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(_: Store) -> set[str]:
        raise UserError("checkpoint/1.parquet can't be read")

    monkeypatch.setattr(Store, "done_ids", unreadable)
    with pytest.raises(UserError, match=r"limits\.truncated"):
        draw_for_long(store, config(truncated=0.5), Tally())


def test_what_the_ledger_held_counts_too(store: Store) -> None:
    settings = config(truncated=0.5, min_draws=1500)
    with pytest.raises(UserError, match=r"1,200 of 2,000"):
        draw_for_long(store, settings, CUT)


def test_a_ledger_past_a_limit_is_refused_before_anything_starts(store: Store) -> None:
    check_limits(store, config(truncated=0.6), CUT)
    with pytest.raises(UserError, match=r"limits\.truncated"):
        check_limits(store, config(truncated=0.5), CUT)


@pytest.mark.parametrize("settings", [{}, {"truncated": 0.7}])
def test_nothing_happens_below_the_limits(store: Store, settings: dict[str, Any]) -> None:
    write_counters(store, CUT)
    with within_limits(store, config(**settings), CUT, 0):
        time.sleep(0.2)
    assert "limits" not in {thread.name for thread in threading.enumerate()}


def test_a_stop_by_the_user_stays_one(store: Store) -> None:
    # A shell has its background jobs ignore it, and with them these tests.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            draw_for_long(store, config(truncated=0.7), Tally())
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_failure_of_the_body_is_not_hidden(store: Store) -> None:
    with pytest.raises(OSError, match="disk"), within_limits(store, config(truncated=0.5), Tally(), 0):
        raise OSError("disk")


def test_a_run_that_could_not_be_ended_is_refused(store: Store) -> None:
    refusals: list[str] = []

    def run() -> None:
        try:
            draw_for_long(store, config(truncated=0.5), Tally())
        except UserError as error:
            refusals.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(10)
    assert refusals == ["limits: only a run in the main thread can be ended early: call it there, or remove the limits"]


def test_the_signals_handler_is_put_back(store: Store) -> None:
    before = signal.getsignal(interrupt.SIGNAL)
    with pytest.raises(UserError):
        draw_for_long(store, config(truncated=0.5), Tally())
    assert signal.getsignal(interrupt.SIGNAL) is before


def test_a_store_that_fails_once_does_not_end_the_watch(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    real, failures = limits.current_rate, [OSError("no route to the store")]

    def flaky(*arguments: Any, **more: Any) -> Any:
        if failures:
            raise failures.pop()
        return real(*arguments, **more)

    monkeypatch.setattr(limits, "current_rate", flaky)
    with pytest.raises(UserError, match=r"limits\.truncated"):
        draw_for_long(store, config(truncated=0.5), Tally())
    assert not failures
