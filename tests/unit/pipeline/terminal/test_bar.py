"""How far something is: a bar on a terminal, few and different lines in a file."""

from __future__ import annotations

import io

import pytest

from pipeline.terminal.bar import Bar, clock, counted
from pipeline.terminal.speak import Streams, apart, say


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def file() -> io.StringIO:
    return io.StringIO()


def lines(total: int, seconds_each: float, file: io.StringIO, done: int = 0) -> list[str]:
    now = 0.0
    with apart(Streams(io.StringIO(), file)):
        bar = Bar(total, "problem", "scored", done, lambda: now)
        for _ in range(total - done):
            now += seconds_each
            bar.add()
        bar.close()
    return file.getvalue().splitlines()


def test_what_is_over_in_half_a_minute_has_no_line(file: io.StringIO) -> None:
    assert lines(29, 1, file) == []


def test_a_file_has_a_line_after_half_a_minute_and_then_for_each_tenth(file: io.StringIO) -> None:
    told = lines(100, 10, file)
    assert told[0] == "scored: 10 of 100 problems, 0:15:00 left"
    assert told[1].startswith("scored: 20 of 100 problems")
    assert len(told) == 9
    assert len(set(told)) == 9


@pytest.mark.parametrize("total", [7, 1000, 123_457])
def test_a_long_work_has_ten_lines_and_one_every_five_minutes(total: int, file: io.StringIO) -> None:
    assert len(lines(total, 600 / total, file)) <= 10
    assert len(lines(total, 3600 / total, io.StringIO())) <= 10 + 12


def test_the_time_left_of_what_is_resumed_is_of_its_own_part(file: io.StringIO) -> None:
    assert lines(100, 10, file, done=70)[0] == "scored: 80 of 100 problems, 0:03:20 left"


def test_a_note_and_the_callers_own_time_left_stand_behind_the_count(file: io.StringIO) -> None:
    now = 0.0
    with apart(Streams(io.StringIO(), file)):
        bar = Bar(1000, "problem", now=lambda: now)
        now = 300.0
        bar.at(0, "starting")
        now = 601.0
        bar.at(20, "5 tokens/s", 3600.0)
    assert file.getvalue().splitlines() == [
        "0 of 1,000 problems, starting",
        "20 of 1,000 problems, 5 tokens/s, 1:00:00 left",
    ]


def test_a_terminal_has_one_bar_and_lines_above_it() -> None:
    out = Terminal()
    with apart(Streams(io.StringIO(), out)):
        bar = Bar(10, "problem")
        bar.at(4, "5 tokens/s")
        say("engine ready")
        bar.at(4, "6 tokens/s")
        bar.at(2)
        assert bar._bar.n == 2
        bar.close()
    told = out.getvalue()
    assert "4/10" in told
    assert "5 tokens/s" in told
    assert "6 tokens/s" in told
    assert "engine ready\n" in told
    assert told.count("\n") == 1


def test_items_are_counted_as_they_pass(file: io.StringIO) -> None:
    with apart(Streams(io.StringIO(), file)):
        assert list(counted(iter("abc"), 3, "letter")) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00:00"), (59.9, "0:00:59"), (3661, "1:01:01"), (90_000, "25:00:00")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
