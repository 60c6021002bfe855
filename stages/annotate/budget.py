"""What a run uses of servers, over all calls of its command, and its end where that reaches `budget`.

Blocks that are under way are finished first: what they cost is spent, and a block that is not committed would be drawn again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pipeline.config import BudgetConfig
from pipeline.errors import UserError
from pipeline.stopping.interrupt import Stop, watched
from pipeline.store import Store
from stages.annotate.progress import LIVE_S
from stages.annotate.times import calls

INTERVAL_S = 3.0
"""Between two looks at the counters, which engines renew as often."""


@dataclass(frozen=True, slots=True)
class Used:
    """Tokens, as the servers count them."""

    prompt_tokens: int
    completion_tokens: int


def used(store: Store) -> Used:
    """By all calls together, as far as their engines wrote it."""
    found = calls(store)
    return Used(sum(one.asked_tokens for one in found), sum(one.written_tokens for one in found))


def spent(found: Used, budget: BudgetConfig) -> str | None:
    """What of the budget is spent, as a line that says what to do; null while there is some left."""
    for name in BudgetConfig.model_fields:
        most, count = getattr(budget, name), getattr(found, name)
        if most is not None and count >= most:
            return (
                f"budget.{name}={most:,} is spent ({count:,}): no further problem is begun, and what is done is kept; raise it, "
                "and the same command resumes"
            )
    return None


@contextmanager
def within_budget(store: Store, budget: BudgetConfig) -> Iterator[None]:
    """Watches the engines' counters while the body runs in the main thread.

    Raises:
        UserError: the budget was spent before, or is now and nothing is under way any more; or this is not the main thread.
    """
    if budget == BudgetConfig():
        yield
        return
    if line := spent(used(store), budget):
        raise UserError(f"{store.uri}: {line}")
    if threading.current_thread() is not threading.main_thread():
        raise UserError("budget: only a run in the main thread can be ended early: call it there, or remove the budget")
    last: list[object] = []

    def look(end: Stop) -> bool:
        try:
            line, rows = spent(used(store), budget), store.progress()
            now = [len(store.checkpoint_files()), [row["problems"] for row in rows]]
        except (OSError, UserError):
            # A store that does not answer now may do so at the next look.
            return False
        busy = any(row["begun"] for row in rows if time.time() - row["updated"] < LIVE_S)
        if line is None or busy or now != last:
            # A block is committed a moment after its last problem.
            last[:] = now
            return False
        end(UserError(f"{store.uri}: {line}"))
        return True

    with watched(look, INTERVAL_S, "budget"):
        yield
