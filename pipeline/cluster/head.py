"""Whether the head of a cluster still answers, while a command works there."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.cluster.joining import head_answers
from pipeline.errors import StartError
from pipeline.stopping.interrupt import Stop, watched

INTERVAL_S = 3.0
"""Between two questions."""
GONE_S = 12.0
"""Without an answer, after which the head is gone: Ray itself ends its driver after a minute, from C++ and without a word."""


@contextmanager
def head_watched(address: str, head: str, gone: threading.Event) -> Iterator[None]:
    """While the body runs. When the head is gone, the body is stopped, and `gone` is set.

    Args:
        address: as the user wrote it, for the line.
        head: HOST:PORT.

    Raises:
        StartError: the head is gone.
    """
    heard = time.monotonic()

    def look(stop: Stop) -> bool:
        nonlocal heard
        if head_answers(head):
            heard = time.monotonic()
        elif time.monotonic() - heard > GONE_S:
            gone.set()
            stop(StartError(f"ray.address={address}: the cluster's head is gone or does not answer any more"))
        return gone.is_set()

    with watched(look, INTERVAL_S, "head"):
        yield
