"""Rates and times that a person sees."""

import time
from collections import Counter
from pathlib import Path

import pytest

from pipeline.engine.gauges import Gauges
from pipeline.store import Store
from stages.annotate.progress import Rate, clock, current_rate, describe_engines, engine_lines


def counters(started: float, updated: float, problems: int) -> dict:
    return {"problems": problems, "draws": 10, "tokens": 1000, "started": started, "updated": updated,
            "verdicts": {"correct": 3, "incorrect": 5, "truncated": 2},
            "engine": Gauges(steps=10, batch_tokens=2000, prompt_tokens=400, cached_tokens=300, idle_s=1.0).snapshot()}  # fmt: skip


def test_engines_add_up_and_dead_ones_are_left_out(tmp_path: Path) -> None:
    store, now = Store(str(tmp_path)), time.time()
    store.write_json("progress/a.json", counters(now - 20, now - 1, 4))
    store.write_json("progress/b.json", counters(now - 21, now - 1, 2))
    store.write_json("progress/dead.json", counters(now - 900, now - 300, 50))
    rate = current_rate(store)
    assert (rate.problems, rate.draws, rate.tokens) == (6, 20, 2000)
    assert rate.seconds == pytest.approx(20, abs=0.5)
    assert rate.verified_share == 0.8
    assert rate.eta_s(3) == pytest.approx(10, abs=0.5)
    expected = "batch of 200, 75% of prompt tokens cached, 5.1% idle, 0 preemptions"
    assert describe_engines(rate) == expected
    assert engine_lines(rate) == [
        (f"engine {number}", f"{tokens} tokens/s, 75% of prompt tokens cached, {idle}% idle, 0 preemptions, "
         "KV cache 0% in use") for number, tokens, idle in ((1, 53, 5.3), (2, 50, 5.0))
    ]  # fmt: skip
    rate.engines[0]["prefix_exact"] = False
    assert describe_engines(rate) == f"{expected}, 1 of 2 engines: greedy output differs with a cached prefix"


def test_what_is_not_measured_is_none() -> None:
    nothing = Rate(0, 0, 0, 0.0, Counter())
    assert (nothing.tokens_per_s, nothing.verified_share, nothing.eta_s(5)) == (None, None, None)
    assert describe_engines(nothing) is None
    assert engine_lines(nothing) == []


def test_an_engine_idles_until_its_first_request_and_between_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("pipeline.engine.gauges.time.monotonic", lambda: now)
    gauges = Gauges()
    now = 101.0
    gauges.ready()
    now = 103.0
    assert gauges.snapshot()["idle_s"] == 2.0
    gauges.begin()
    gauges.begin()
    gauges.end()
    now = 105.0
    gauges.end()
    now = 108.0
    assert gauges.snapshot()["idle_s"] == 5.0
    gauges.begin()
    now = 111.0
    assert gauges.snapshot()["idle_s"] == 5.0


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00:00"), (59.9, "0:00:59"), (3661, "1:01:01"), (90_000, "25:00:00")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
