"""Rates and times that a person sees."""

import io
import time
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from pipeline.engine.gauges import Gauges
from pipeline.store import Store
from pipeline.terminal.speak import Streams, apart
from stages.annotate.progress import (
    Rate,
    current_rate,
    describe_engines,
    engine_lines,
    judged,
    progress_bar,
    where_engines_ran,
)
from stages.annotate.tally import Answers, Tally
from tests.waiting import wait_until


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
    assert (nothing.tokens_per_s, nothing.eta_s(5)) == (None, None)
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


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look is told."""
    monkeypatch.setattr("stages.annotate.progress.INTERVAL_S", 0.02)
    monkeypatch.setattr("pipeline.terminal.bar.EVERY_S", 0.0)
    monkeypatch.setattr("pipeline.terminal.bar.SLOW_S", 0.0)


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("out", [io.StringIO(), Terminal()], ids=["file", "terminal"])
def test_what_cannot_be_right_is_told_in_full_once_and_in_short_with_every_line(
    tmp_path: Path, out: io.StringIO
) -> None:
    store = Store(str(tmp_path))
    held = Tally({"old": Answers(9, Counter(correct=9), Counter(correct=500))}, True)
    new = Tally({"new": Answers(9, Counter(truncated=9), Counter(truncated=500))}, False)
    with apart(Streams(io.StringIO(), out)), progress_bar(store, 40, 9, held):
        now = time.time()
        store.write_json("progress/a.json", {**counters(now, now, 9), "tally": new.row()})
        wait_until(lambda: out.getvalue().count(", warning: no right answer in new; 50% of draws are cut") >= 2)
    told = out.getvalue()
    assert told.count("warning: no right answer in new, in 509 solutions and continuations: compare golds") == 1
    assert (
        told.count(
            "warning: 500 of 1,000 draws (50.0%) are cut at the token limit, above all in new: a continuation that was cut"
        )
        == 1
    )


@pytest.mark.usefixtures("soon")
def test_a_run_without_a_fault_is_not_warned_of(tmp_path: Path) -> None:
    store, out = Store(str(tmp_path)), io.StringIO()
    with apart(Streams(io.StringIO(), out)), progress_bar(store, 40, 0):
        now = time.time()
        right = Tally({"a": Answers(9, Counter(correct=9), Counter(correct=500))}, True)
        store.write_json("progress/a.json", {**counters(now, now, 9), "tally": right.row()})
        wait_until(lambda: "9 of 40 problems, 10 continuations (30% right, 50% wrong, 20% cut" in out.getvalue())
    assert "warning" not in out.getvalue()


@pytest.mark.usefixtures("soon")
def test_the_time_left_of_silent_engines_is_not_known(tmp_path: Path) -> None:
    store, out = Store(str(tmp_path)), io.StringIO()
    with apart(Streams(io.StringIO(), out)), progress_bar(store, 10, 0):
        now = time.time()
        store.write_json("progress/a.json", counters(now, now + 5, 1))
        wait_until(lambda: " left" in out.getvalue())
        assert "no sign of life" not in out.getvalue()
        store.write_json("progress/a.json", counters(now, now - 60, 1))
        wait_until(lambda: ", no sign of life from an engine for 0:01:0" in out.getvalue())
    assert " left" not in out.getvalue().splitlines()[-1]


@pytest.mark.usefixtures("soon")
def test_engines_are_told_of_as_they_come_up(tmp_path: Path) -> None:
    store, out = Store(str(tmp_path)), io.StringIO()
    with apart(Streams(io.StringIO(), out)), progress_bar(store, 40, 0, engines=2):
        wait_until(lambda: "0 of 40 problems, the engine has been starting for 0:00:00" in out.getvalue())
        # Its process notes itself before its engine has started.
        store.write_json("progress/1.json", {**counters(time.time(), time.time(), 0), "ready": False})
        wait_until(lambda: out.getvalue().count("has been starting for") > 2)
        assert "ready" not in out.getvalue()
        for number in (1, 2, 3):
            now = time.time()
            store.write_json(f"progress/{number}.json", counters(now, now, 0))
            wait_until(partial(lambda wanted: out.getvalue().count("ready") == wanted, number))
        wait_until(lambda: "first problems under way for 0:00:0" in out.getvalue())
    told = [line for line in out.getvalue().splitlines() if "ready" in line]
    assert told == [
        "1 of 2 engines ready after 0:00:00",
        "2 of 2 engines ready after 0:00:00",
        "a new engine is ready in place of one that died",
    ]


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        (Counter(), ""),
        (Counter(correct=3, incorrect=1), " (75% right, 25% wrong, 0% cut)"),
        (Counter(correct=500, incorrect=499, timeout=1), " (50% right, 50% wrong, 0% cut, <1% without an answer or not judged)"),
        (Counter(truncated=4), " (0% right, 0% wrong, 100% cut)"),
    ],
)  # fmt: skip
def test_what_was_verified_is_said_as_what_it_was_found_to_be(verdicts: Counter[str], words: str) -> None:
    assert judged(verdicts) == words


def test_where_engines_ran_is_told_of_several(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    place = {"node": "n1", "ip": "10.0.0.1", "host": "a"}
    others = [place, {**place, "node": "n2", "ip": "10.0.0.2", "host": "b"}, {**place}]
    for number, process in enumerate(others):
        row = {"started": 100.0, "ready": True, "process": {**process, "pid": number}}
        store.write_json(f"progress/{number}.json", row)
        if number == 0:
            assert where_engines_ran(store, 50.0) is None
    assert where_engines_ran(store, 50.0) == "3 engines ran on 2 nodes (a 10.0.0.1: 2, b 10.0.0.2: 1)"
    assert where_engines_ran(store, 150.0) is None
    for number in range(3, 13):
        row = {"started": 100.0, "ready": True, "process": {**place, "node": f"n{number}", "host": f"c{number:02d}"}}
        store.write_json(f"progress/{number}.json", row)
    assert (where_engines_ran(store, 50.0) or "").endswith("c08 10.0.0.1: 1, and 4 more)")
