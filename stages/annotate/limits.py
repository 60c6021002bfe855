"""Ends a run whose results cannot be right, as a person would: by the signal that stops it, so that it can be resumed."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.config import RunConfig
from pipeline.errors import UserError
from pipeline.store import Store
from stages.annotate.plausible import Finding, ended_early, over_limits
from stages.annotate.progress import current_rate
from stages.annotate.tally import Tally, together

INTERVAL_S = 3.0
"""Between two looks at the counters, which engines renew as often."""
AGAIN_S = 60.0
"""After which a signal that had no effect is sent again."""


def check_limits(store: Store, config: RunConfig, before: Tally) -> None:
    """
    Raises:
        UserError: what the ledger holds already is past a limit.
    """
    if found := over_limits(before, config):
        raise UserError(_line(store, found, config))


@contextmanager
def within_limits(store: Store, config: RunConfig, before: Tally) -> Iterator[None]:
    """Watches the engines' counters while the body runs in the main thread; `before` is what the ledger held already.

    Raises:
        UserError: a limit is passed; the body was stopped.
    """
    if not config.limits.are_set:
        yield
        return
    started, stop, passed = time.time(), threading.Event(), list[Finding]()
    main = threading.main_thread().ident or 0

    def watch() -> None:
        while not stop.wait(AGAIN_S if passed else INTERVAL_S):
            tally = together([before, current_rate(store, since=started).tally])
            if found := over_limits(tally, config):
                passed.append(found)
                signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=watch, daemon=True, name="limits")
    thread.start()
    try:
        try:
            yield
        finally:
            stop.set()
            thread.join()
            # A signal that came this late is met here.
            time.sleep(0)
    except KeyboardInterrupt:
        if not passed:
            raise
        raise UserError(_line(store, passed[0], config)) from None


def _line(store: Store, found: Finding, config: RunConfig) -> str:
    return f"{store.uri}: {ended_early(found, config)}"
