"""The lock on a disk: the kernel's, which goes with the process that holds it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator

from pipeline.lock import me, refusal

LINGER_S = 3.0
"""How long a new driver waits for the lock of one that is just ending."""


@contextlib.contextmanager
def disk_lock(uri: str, path: str) -> Iterator[None]:
    """
    Raises:
        UserError: another driver works here.
        OSError: the disk refuses.
    """
    with contextlib.ExitStack() as stack:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        stack.callback(os.close, file)
        deadline = time.monotonic() + LINGER_S
        while not _taken(file, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise refusal(uri, _written(file))
            time.sleep(0.2)
        os.ftruncate(file, 0)
        os.pwrite(file, me().encode(), 0)
        yield


def disk_holder(path: str) -> str | None:
    """Who has the lock. Asks for an instant, which a new driver outwaits."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        return None if _taken(file, fcntl.LOCK_SH) else _written(file)
    finally:
        os.close(file)


def _taken(file: int, how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _written(file: int) -> str:
    return os.pread(file, 1000, 0).decode()
