"""A run on servers ends where its budget is spent, once what is under way is done, and says how to go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import BudgetConfig
from pipeline.errors import UserError
from pipeline.store import Store
from stages.annotate import budget
from stages.annotate.budget import Used, spent, used, within_budget
from stages.annotate.times import keep_times
from tests.unit.stages.annotate.test_progress import counters


def row(asked: int, written: int, begun: tuple[str, ...] = (), age_s: float = 0.0) -> dict[str, Any]:
    now = time.time() - age_s
    found = counters(now - 5, now, 1)
    found["engine"] |= {"asked_tokens": asked, "written_tokens": written}
    return {**found, "begun": list(begun)}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(budget, "INTERVAL_S", 0.02)
    return Store(str(tmp_path))


def test_all_calls_and_engines_count(store: Store) -> None:
    assert used(store) == Used(0, 0)
    store.write_json("progress/a.json", row(100, 40))
    store.write_json("progress/b.json", row(10, 4))
    assert used(store) == Used(110, 44)
    keep_times(store)
    store.clear("progress")
    store.write_json("progress/c.json", row(1, 2))
    assert used(store) == Used(111, 46)


def test_the_line_names_what_is_spent() -> None:
    assert spent(Used(99, 10**9), BudgetConfig(prompt_tokens=100)) is None
    assert spent(Used(99, 1200), BudgetConfig(prompt_tokens=100, completion_tokens=1000)) == (
        "budget.completion_tokens=1,000 is spent (1,200): no further problem is begun, and what is done is kept; raise it, "
        "and the same command resumes"
    )


def draw_for_long(store: Store, finish: Callable[[], None]) -> None:
    with within_budget(store, BudgetConfig(completion_tokens=100)):
        store.write_json("progress/a.json", row(0, 110, ("p",)))
        threading.Thread(target=finish).start()
        time.sleep(30)


def test_a_run_ends_once_nothing_is_under_way(store: Store) -> None:
    ended = threading.Event()

    def finish() -> None:
        time.sleep(0.3)
        ended.set()
        store.write_json("progress/a.json", row(0, 120))

    store.write_json("progress/a.json", row(0, 50, ("p",)))
    # What was under way on an engine that died is under way no more.
    store.write_json("progress/dead.json", row(0, 0, ("q",), age_s=60))
    with pytest.raises(UserError, match=r"budget\.completion_tokens=100 is spent \(120\)"):
        draw_for_long(store, finish)
    assert ended.is_set()


def test_what_was_spent_before_begins_nothing(store: Store) -> None:
    store.write_json("progress/a.json", row(7, 0))
    with (
        pytest.raises(UserError, match=r"budget\.prompt_tokens=7 is spent"),
        within_budget(store, BudgetConfig(prompt_tokens=7)),
    ):
        raise AssertionError("begun")
    with within_budget(store, BudgetConfig()):
        pass
