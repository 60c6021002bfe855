"""A stop by the user: SIGINT (Ctrl-C), SIGTERM and SIGHUP (a closed terminal) all end a command in the same way.

The first one stops it, and it then leaves in order. A second one changes nothing but is answered; a third one ends it.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

from pipeline.stopping.node import children, kill
from pipeline.terminal.speak import error_descriptor

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOPPED = 130
"""The status of a command that was stopped."""
_NOTE = b"\nvisualprm: stopping already, which may take a minute; once more to end at once\n"

_heard = 0


def stop_by_signals() -> None:
    """From here on each of the signals raises KeyboardInterrupt; those that this process was started to ignore stay so."""
    global _heard
    _heard = 0
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def stopping() -> bool:
    """Whether a stop was asked for."""
    return _heard > 0


def _stop(*_: int | FrameType | None) -> None:
    global _heard
    _heard += 1
    if _heard == 1:
        raise KeyboardInterrupt
    if _heard == 2:
        # Not `print`: the signal may have come in the middle of one.
        os.write(error_descriptor(), _NOTE)
        return
    kill(children())
    os._exit(STOPPED)
