"""Ends what the main thread does, from another thread, with an error: as a stop by the user would, but for its reason."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from pipeline.terminal.speak import say

SIGNAL = signal.SIGUSR1
"""Not the one of Ctrl-C, which a shell has its background jobs ignore."""
AGAIN_S = 60.0
"""After which a signal that had no effect is sent again."""

Stop = Callable[[Exception], None]


class _Interrupt(KeyboardInterrupt):
    """Raised in the main thread, where Ray takes it for a stop by the user."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


_errors: list[Exception] = []
"""What the next signal raises: the last of them."""


@contextmanager
def interruptible() -> Iterator[Stop]:
    """`stop(error)`, called in any thread, ends the body and has this raise the error. The first one counts.

    Only the main thread can be interrupted. Elsewhere the error is printed, and raised when the body has ended.
    """
    main = threading.main_thread()
    in_main = threading.current_thread() is main
    ended, mine = threading.Event(), list[Exception]()

    def stop(error: Exception) -> None:
        if mine or ended.is_set():
            return
        mine.append(error)
        if not in_main:
            say(str(error))
            return
        threading.Thread(target=signalled, args=(error,), daemon=True, name="interrupt").start()

    def signalled(error: Exception) -> None:
        while not ended.is_set():
            _errors.append(error)
            signal.pthread_kill(main.ident or 0, SIGNAL)
            ended.wait(AGAIN_S)

    handler = signal.signal(SIGNAL, _raise) if in_main else None
    try:
        try:
            yield stop
        finally:
            ended.set()
            if in_main:
                signal.signal(SIGNAL, handler)
    except _Interrupt as interrupt:
        if interrupt.error not in mine:
            raise
        raise interrupt.error from None
    if mine:
        raise mine[0]


@contextmanager
def watched(look: Callable[[Stop], bool], every_s: float, name: str) -> Iterator[None]:
    """While the body runs, a thread calls `look(stop)` every `every_s` seconds, until that returns true.

    `stop` is that of `interruptible`; `name` is the thread's.
    """
    over = threading.Event()

    def watch(stop: Stop) -> None:
        while not over.wait(every_s) and not look(stop):
            pass

    with interruptible() as stop:
        thread = threading.Thread(target=watch, args=(stop,), daemon=True, name=name)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def _raise(*_: object) -> NoReturn:
    raise _Interrupt(_errors[-1])
