"""Rows are worked on ahead of those who take them, in a thread for each core: decoding a picture leaves Python to the others."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from pipeline.errors import UserError

AHEAD = 4
"""Rows for each core that are under way, or done and not yet taken."""
Given = TypeVar("Given")
Made = TypeVar("Made")


def in_order(work: Callable[[Given], Made], items: Iterable[Given], threads: int | None = None) -> Generator[Made]:
    """What `map` gives, in the same order and with the same exceptions; `items` are asked for by this thread alone.

    Args:
        threads: as many as this process may use cores by default.
    """
    threads = threads or cores()
    if threads == 1:
        yield from map(work, items)
        return
    waiting: deque[Future[Made]] = deque()
    failure: Exception | None = None
    coming = iter(items)
    with ThreadPoolExecutor(threads, thread_name_prefix="rows") as pool:
        try:
            while True:
                try:
                    waiting.append(pool.submit(work, next(coming)))
                except StopIteration:
                    break
                except Exception as error:
                    # What came before it is taken first.
                    failure = error
                    break
                if len(waiting) == AHEAD * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
    if failure is not None:
        raise failure


def cores() -> int:
    """How many of them this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def once(find: Callable[[], Made]) -> Callable[[], Made]:
    """What `find` gives or raises, which the first thread that asks finds out; the others wait for it."""
    lock, found = threading.Lock(), Future[Made]()

    def asked() -> Made:
        with lock:
            if not found.done():
                try:
                    found.set_result(find())
                except UserError as error:
                    found.set_exception(error)
        return found.result()

    return asked
