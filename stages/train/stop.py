"""Stopping a training without losing a step: SIGTERM or Ctrl-C asks for it, and the trainer looks after each step."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from pipeline.terminal.speak import error_descriptor

_NOTE = b"\nstopping: a checkpoint is written after this step; a second signal stops at once\n"


class Stopped(Exception):
    """The training was asked to stop during an evaluation, and its checkpoint is written."""


class Stop:
    """Whether to stop: asked in this process, or by a file, which workers elsewhere see, too."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._asked = False

    @property
    def asked(self) -> bool:
        return self._asked or (self._file is not None and self._file.exists())

    def ask(self) -> None:
        self._asked = True
        if self._file is not None:
            self._file.touch()

    def forget(self) -> None:
        """Removes the file: the next call of the command is not stopped by this one."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)


@contextmanager
def stopped_by_signals(stop: Stop) -> Iterator[None]:
    """In the block the first SIGTERM, SIGINT or SIGHUP asks to stop, the second raises KeyboardInterrupt.

    Outside the main thread, where no handler can be set, signals stay what they are.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    owner = os.getpid()

    def ask(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:  # In a process that loads data: Ctrl-C reaches those, too, and they are needed still.
            return
        if stop.asked:
            raise KeyboardInterrupt
        stop.ask()
        # Not `print`: the signal may have come in the middle of one.
        os.write(error_descriptor(), _NOTE)

    # `nohup` has it ignored, and means it.
    closed = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT, *closed)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def outlive_signals() -> None:
    """In a process that loads data: what is sent to the whole group must not take the batches away from the last step.

    Its parent still ends it by SIGTERM: only the signal's sender tells the two apart.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    while True:
        sent = signal.sigwaitinfo({signal.SIGTERM})
        if sent.si_pid == os.getppid():
            os._exit(0)
