"""What judging may cost. Once that is spent no block of problems is begun; those under way are finished and committed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pipeline.errors import UserError
from pipeline.stopping.interrupt import Stop, watched
from pipeline.store import Store
from stages.judge.config import JudgingConfig

INTERVAL_S = 3.0
"""Between two looks at the counters, which engines renew as often."""
COMMITTED_S = 60.0
"""For the last blocks to be committed; after that they are given up, and judged again by the next call."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens that a judge has read and written."""

    read: int = 0
    written: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.read + other.read, self.written + other.written)

    @classmethod
    def of_engines(cls, rows: Iterable[Mapping[str, Any]]) -> Spent:
        """By what engines wrote last (`stages/annotate/counters.py`), in this call of the driver."""
        found = [cls(row.get("read", 0), row.get("tokens", 0)) for row in rows]
        return sum(found, cls())

    def cost(self, config: JudgingConfig) -> float | None:
        """In the currency of `judge.price`; null where nobody bills."""
        if config.price is None:
            return None
        return (self.read * config.price[0] + self.written * config.price[1]) / 1e6

    def is_all(self, config: JudgingConfig) -> bool:
        """Whether `judge.budget` is spent."""
        cost = self.cost(config)
        return config.budget is not None and (self.read + self.written if cost is None else cost) >= config.budget

    def told(self, config: JudgingConfig) -> str:
        """For a line."""
        cost = self.cost(config)
        return f"{self.read + self.written:,} tokens" + ("" if cost is None else f", {cost:.2f}")


def check_budget(store: Store, config: JudgingConfig, spent: Spent) -> None:
    """
    Raises:
        UserError: what was judged before has spent it.
    """
    if spent.is_all(config):
        raise _over(store, config, spent)


@contextmanager
def within_budget(
    store: Store, config: JudgingConfig, before: Spent, clock: Callable[[], float] = time.monotonic
) -> Iterator[None]:
    """Watches the engines' counters while the body runs; `before` is what earlier calls have spent.

    Raises:
        UserError: the budget is spent, what was under way is committed, and problems are left: the body was stopped. Or this is
            not the main thread, where it can't be, and engines would wait for ever.
    """
    if config.budget is None:
        yield
        return
    if threading.current_thread() is not threading.main_thread():
        raise UserError(
            "judge.budget: only in the main thread can judging be ended: call it there, or remove the budget"
        )
    done = len(store.done_ids())
    look = Look(store, config, before, done, clock)
    with watched(look, INTERVAL_S, "budget"):
        yield


@dataclass
class Look:
    """One look at the counters: whether the run was ended."""

    store: Store
    config: JudgingConfig
    before: Spent
    done: int
    clock: Callable[[], float]
    since: float | None = None

    def __call__(self, end: Stop) -> bool:
        try:
            rows = self.store.progress()
            spent = self.before + Spent.of_engines(rows)
            if not spent.is_all(self.config) or any(row.get("begun") for row in rows):
                self.since = None
                return False
            committed = len(self.store.done_ids()) - self.done
        except (OSError, UserError):
            # A store that does not answer now may do so at the next look.
            return False
        self.since = self.clock() if self.since is None else self.since
        if committed < sum(row["problems"] for row in rows) and self.clock() - self.since < COMMITTED_S:
            return False
        end(_over(self.store, self.config, spent))
        return True


def _over(store: Store, config: JudgingConfig, spent: Spent) -> UserError:
    done, problems = len(store.done_ids()), len(store.problem_ids())
    return UserError(
        f"{store.uri}: judge.budget={config.budget:g} is spent ({spent.told(config)}): {done:,} of {problems:,} problems are "
        "judged; the same command with a larger judge.budget goes on"
    )
