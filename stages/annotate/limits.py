"""Ends a run whose results cannot be right, as a person would stop it: what is done is committed, and the run can be resumed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.config import RunConfig
from pipeline.errors import UserError
from pipeline.stopping.interrupt import Stop, watched
from pipeline.store import Store
from stages.annotate.plausible import Finding, ended_early, over_limits
from stages.annotate.progress import current_rate
from stages.annotate.tally import Tally, together

INTERVAL_S = 3.0
"""Between two looks at the counters, which engines renew as often."""
COMMITTED_S = 60.0
"""For what is done to be committed, on a machine so busy that Ray lags behind; the rest is drawn again by the next call."""


def check_limits(store: Store, config: RunConfig, before: Tally) -> None:
    """
    Raises:
        UserError: what the ledger holds already is past a limit.
    """
    if found := over_limits(before, config):
        raise UserError(_line(store, found, config))


def endable(config: RunConfig) -> RunConfig:
    """The settings as engines heed them: only a run in the main thread can be ended, so elsewhere none may wait for its end."""
    if threading.current_thread() is threading.main_thread():
        return config
    return config.model_copy(update={"rollout": config.rollout.model_copy(update={"max_truncated": None})})


@contextmanager
def within_limits(store: Store, config: RunConfig, before: Tally, done: int) -> Iterator[None]:
    """Watches the engines' counters while the body runs in the main thread; `before` is what the ledger held already.

    Once a limit is passed, problems that are done by then are committed first. `done` is how many were before.

    Raises:
        UserError: a limit is passed, and the body was stopped; or this is not the main thread, where it can't be.
    """
    if not config.limits.are_set and endable(config).rollout.max_truncated is None:
        yield
        return
    if threading.current_thread() is not threading.main_thread():
        raise UserError("limits: only a run in the main thread can be ended early: call it there, or remove the limits")
    started = time.time()
    passed: tuple[Finding, int, float] | None = None

    def look(end: Stop) -> bool:
        nonlocal passed
        try:
            if passed is None:
                rate = current_rate(store, since=started)
                if found := over_limits(together([before, rate.tally]), config):
                    passed = found, done + rate.problems, time.monotonic()
            waits = passed is not None and len(store.done_ids()) < passed[1]
        except (OSError, UserError):
            # A store that does not answer now may do so at the next look.
            waits = True
        if passed is None or (waits and time.monotonic() - passed[2] <= COMMITTED_S):
            return False
        end(UserError(_line(store, passed[0], config)))
        return True

    with watched(look, INTERVAL_S, "limits"):
        yield


def _line(store: Store, found: Finding, config: RunConfig) -> str:
    return f"{store.uri}: {ended_early(found, config)}"
