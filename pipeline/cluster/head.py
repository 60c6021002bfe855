"""Whether the head of a cluster still answers, while a command works there."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.cluster.joining import head_answers
from pipeline.errors import StartError
from pipeline.stopping.interrupt import Stop, watched
from pipeline.terminal.speak import say_fault

INTERVAL_S = 3.0
"""Between two questions."""
GONE_S = 12.0
"""Without an answer, after which the head is gone: Ray itself ends its driver after a minute, from C++ and without a word."""
MISSES = 3
"""Questions in a row, at least, without an answer: a driver that was stopped for a while has not asked for as long."""
LEAVE_S = 5.0
"""For the body to end then; a main thread that waits inside Ray's C++ is not reached, and the process is ended."""


@contextmanager
def head_watched(address: str, head: str, gone: threading.Event) -> Iterator[None]:
    """While the body runs. When the head is gone, the body is stopped, and `gone` is set; if it goes on, the process ends with 1.

    Args:
        address: as the user wrote it, for the line.
        head: HOST:PORT.

    Raises:
        StartError: the head is gone.
    """
    heard, missed, over = time.monotonic(), 0, threading.Event()

    def leave(error: StartError) -> None:
        if not over.wait(LEAVE_S):
            # What survives this process says that the same command resumes.
            say_fault(str(error))
            os._exit(1)

    def look(stop: Stop) -> bool:
        nonlocal heard, missed
        if head_answers(head):
            heard, missed = time.monotonic(), 0
            return False
        missed += 1
        if missed >= MISSES and time.monotonic() - heard > GONE_S:
            gone.set()
            error = StartError(f"ray.address={address}: the cluster's head is gone or does not answer any more")
            threading.Thread(target=leave, args=(error,), daemon=True, name="leave").start()
            stop(error)
        return gone.is_set()

    with watched(look, INTERVAL_S, "head"):
        try:
            yield
        finally:
            over.set()
