"""How long a run took, over all calls of its command."""

from __future__ import annotations

from pathlib import Path

from pipeline.store import Store
from stages.annotate.times import Call, call_of, calls, keep_times, rate, seconds, whole
from tests.unit.stages.annotate.test_progress import counters


def test_a_call_lasts_from_its_first_engine_to_the_last_sign_of_any() -> None:
    assert call_of([counters(10, 40, 1), counters(12, 70, 2), counters(50, 65, 0)]) == Call(10, 70, 3000)
    assert call_of([]) is None


def test_earlier_calls_are_kept_when_their_counters_are_cleared(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    keep_times(store)
    assert not store.exists("times.json")
    assert calls(store) == []
    assert rate([]) is None
    for started in (0.0, 1000.0):
        store.write_json("progress/a.json", counters(started, started + 50, 1))
        keep_times(store)
        # A call that was ended here would find the counters still there, and count them once.
        keep_times(store)
        store.clear("progress")
    store.write_json("progress/a.json", counters(2000.0, 2100.0, 1))
    found = calls(store)
    assert found == [Call(0.0, 50.0, 1000), Call(1000.0, 1050.0, 1000), Call(2000.0, 2100.0, 1000)]
    assert seconds(found) == 200
    assert rate(found) == 15


def test_a_rate_without_time_is_not_measured() -> None:
    assert rate([Call(5.0, 5.0, 0)]) is None


def test_status_tells_rate_and_time_over_all_calls_or_that_they_were_not_measured(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    assert whole(store) == [("rate in all", "not measured"), ("time in all", "not measured")]
    store.write_json("progress/a.json", counters(0.0, 20.0, 4))
    assert whole(store) == [("rate in all", "50 tokens/s"), ("time in all", "0:00:20 with engines running")]
    keep_times(store)
    store.clear("progress")
    store.write_json("progress/b.json", counters(100.0, 180.0, 4))
    assert whole(store) == [
        ("rate in all", "20 tokens/s"),
        ("time in all", "0:01:40 with engines running, in 2 calls of the command"),
    ]
