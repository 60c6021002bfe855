"""How a command ends that something went wrong in: its exit status and its one line. The table is in docs/command_line.md."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import EngineDead, StartError, UserError
from pipeline.markdown import visible
from pipeline.stopping.signals import STOPPED, stopping

MUST_CHANGE = 2
"""The user must change something: command, settings, data, a full disk."""
TRY_AGAIN = 1
"""The same command may do it. Also what Python gives a fault of the program, with a traceback."""
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FAILED = (errno.EIO, errno.ENXIO, errno.ENODEV, errno.ESTALE, errno.EREMOTEIO, errno.ENOTCONN, errno.EUCLEAN)


@contextmanager
def one_line_errors(program: str, goes_on: bool = False) -> Iterator[None]:
    """Ends the program with the line and the status for what the block raises; see `ending`."""
    try:
        yield
    except BrokenPipeError:
        sys.stderr.close()
    except BaseException as error:
        end = ending(error, goes_on)
        if end is None:
            raise
        status, line = end
        if stopping() and status != STOPPED:
            # It follows from the stop: Ray removes its folders while they are still written to.
            status, line = STOPPED, f"stopped; {_again(goes_on)} (on the way: {line})"
        print(f"{program}: {visible(line)}", file=sys.stderr)
        sys.exit(status)


def ending(error: BaseException, goes_on: bool) -> tuple[int, str] | None:
    """The exit status and the line for what a command raised; None for a fault of the program, which needs its traceback.

    Args:
        goes_on: whether the same command takes up what this one did.
    """
    again = _again(goes_on)
    # What a process of Ray raised arrives as a class of both, whose text is that process's traceback.
    cause = getattr(error, "cause", None)
    error = cause if isinstance(cause, Exception) else error
    if isinstance(error, (UserError, EngineDead, StartError)):
        # Ray Data puts lines of its own below ours.
        error = type(error)(str(error).partition("\n")[0])
    if isinstance(error, UserError):
        return MUST_CHANGE, str(error)
    if isinstance(error, EngineDead):
        return TRY_AGAIN, f"the engine died ({error}); {again}"
    if isinstance(error, StartError):
        return TRY_AGAIN, f"{error}; {again}"
    if isinstance(error, KeyboardInterrupt):
        return STOPPED, f"stopped; {again}"
    if isinstance(error, OSError):
        from pipeline.store import store_refusal

        refused = store_refusal(error)
        return _of_disk(error) if refused is None else ending(refused, goes_on)
    return None


def _again(goes_on: bool) -> str:
    return f"the same command {'resumes from here' if goes_on else 'starts over'}"


def _of_disk(error: OSError) -> tuple[int, str] | None:
    """What the disk refused, wherever no one foresaw it."""
    place = error.filename or "a file"
    if error.errno in _FULL:
        return MUST_CHANGE, f"{place}: no space left on the device: free some, then run the same command again"
    if error.errno in _REFUSED:
        return (
            MUST_CHANGE,
            f"{place}: {os.strerror(error.errno)}: give this user the right to it, or name another place",
        )
    if error.errno in _FAILED:
        said = f"the disk failed ({os.strerror(error.errno)}): look at it (`dmesg`)"
        return MUST_CHANGE, f"{place}: {said}, then run the same command again, or name another place"
    return None
