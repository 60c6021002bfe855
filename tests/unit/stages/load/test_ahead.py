"""Working ahead changes nothing but the time it takes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import UserError
from stages.load.ahead import AHEAD, in_order, once

Outcome = list[int | str]


def taken(found: Iterator[int]) -> Outcome:
    """What came, and the exception that ended it."""
    got: Outcome = []
    try:
        got.extend(found)
    except (ValueError, KeyError) as error:
        got.append(repr(error))
    return got


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 9), max_size=40), st.integers(0, 40), st.integers(1, 4))
def test_it_gives_what_map_gives(items: list[int], broken: int, threads: int) -> None:
    def coming() -> Iterator[int]:
        for number, item in enumerate(items):
            if number == broken:
                raise KeyError(number)
            yield item

    def work(item: int) -> int:
        if item == 9:
            raise ValueError(item)
        time.sleep(item % 3 * 1e-4)
        return -item

    def one_by_one() -> Iterator[int]:
        for item in coming():
            yield work(item)

    assert taken(in_order(work, coming(), threads)) == taken(one_by_one())


def test_items_are_asked_for_by_the_taker_and_not_far_ahead() -> None:
    asked: list[str] = []

    def coming() -> Iterator[int]:
        for number in range(100):
            asked.append(threading.current_thread().name)
            yield number

    found = in_order(lambda number: number, coming(), 2)
    assert [next(found) for _ in range(3)] == [0, 1, 2]
    found.close()
    assert set(asked) == {threading.current_thread().name}
    assert len(asked) <= 3 + 2 * AHEAD


def test_work_goes_on_side_by_side() -> None:
    # Neither comes through without the other.
    both = threading.Barrier(2, timeout=30)
    assert sorted(in_order(lambda number: both.wait() * 0 + number, range(4), 2)) == [0, 1, 2, 3]


@pytest.mark.parametrize("threads", [1, 2])
def test_nothing_gives_nothing(threads: int) -> None:
    assert list(in_order(str, [], threads)) == []


def test_threads_that_ask_at_once_get_what_one_of_them_found_out() -> None:
    asked: list[int] = []

    @once
    def slow() -> int:
        asked.append(1)
        time.sleep(0.05)
        return 7

    assert list(in_order(lambda _: slow(), range(20), 4)) == [7] * 20
    assert asked == [1]


def test_what_one_of_them_was_refused_all_are() -> None:
    asked: list[int] = []

    @once
    def refused() -> int:
        asked.append(1)
        raise UserError("no")

    for _ in range(3):
        with pytest.raises(UserError, match="no"):
            refused()
    assert asked == [1]
