"""Waiting in tests for what another process or thread does, with a limit that a busy machine keeps, too."""

from __future__ import annotations

import time
from collections.abc import Callable

MOST_S = 600.0
"""One start of vLLM took 195 s on a busy machine; this is three times that."""


def wait_until(condition: Callable[[], object], seconds: float = MOST_S) -> None:
    """Looks ten times a second.

    Raises:
        AssertionError: the condition did not come true in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not true within {seconds:.0f} s"
        time.sleep(0.1)
