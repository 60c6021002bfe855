"""How far something is: one tqdm bar on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any, TypeVar

from tqdm import tqdm

from pipeline.terminal.speak import error_stream, say

EVERY_S = 30.0
"""Seconds between two lines, at least."""
SHARE = 0.1
"""Of the whole, that is done between two lines."""
SLOW_S = 300.0
"""Seconds after which there is a line, however little was done."""
T = TypeVar("T")


class Bar:
    """Counts up to `total`. A file gets at most ten lines, and one more every five minutes, whatever the total is."""

    def __init__(
        self, total: int, unit: str, what: str = "", done: int = 0, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._total, self._unit, self._what, self._now = total, unit, what, now
        self._first = self._done = self._told = done
        self._began = self._last = now()
        out = error_stream()
        self.terminal = out.isatty()
        """Whether there is a bar, which can be renewed every second."""
        self._bar: Any = None
        if self.terminal:
            self._bar = tqdm(
                total=total, initial=done, unit=unit, desc=what or None, file=out, dynamic_ncols=True, leave=False
            )

    def close(self) -> None:
        """Takes the bar away."""
        if self._bar is not None:
            self._bar.close()

    def add(self, count: int = 1, note: str = "") -> None:
        """That many more are done; the time left is told by the mean so far."""
        done = self._done + count
        fresh = done - self._first
        self.at(done, note, (self._now() - self._began) / fresh * (self._total - done) if fresh > 0 else None)

    def at(self, done: int, note: str = "", left_s: float | None = None) -> None:
        """So many are done; beside it `note`, and the time left, if the caller knows it."""
        done = min(done, self._total)
        if self._bar is not None:
            self._bar.set_postfix_str(note, refresh=False)
            # By itself the bar is not drawn again while nothing is done.
            self._bar.update(done - self._done) if done != self._done else self._bar.refresh()
        self._done = done
        if self._bar is None and self._is_due():
            self._told, self._last = self._done, self._now()
            say(self._line(note, left_s))

    def _is_due(self) -> bool:
        waited = self._now() - self._last
        enough = self._done - self._told >= max(1, SHARE * self._total)
        return self._done < self._total and (waited >= SLOW_S or (waited >= EVERY_S and enough))

    def _line(self, note: str, left_s: float | None) -> str:
        what = f"{self._what}: " if self._what else ""
        left = "" if left_s is None else f"{clock(left_s)} left"
        return ", ".join(filter(None, [f"{what}{self._done:,} of {self._total:,} {self._unit}s", note, left]))


def counted(items: Iterable[T], total: int, unit: str, what: str = "") -> Iterator[T]:
    """The items, with a bar."""
    with closing(Bar(total, unit, what)) as bar:
        for item in items:
            yield item
            bar.add()


def clock(seconds: float) -> str:
    """`h:mm:ss`."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
