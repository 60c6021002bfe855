"""The lock on a store without conditional puts: a file that is renewed, and lapses when it is not.

It keeps out a driver that comes later. Two that start at the same instant may both get it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from pyarrow import fs

from pipeline import atomic
from pipeline.errors import UserError
from pipeline.lock import HEARTBEAT_S, LAPSE_S, LAPSES, lost, me, refusal
from pipeline.stopping.interrupt import interruptible
from pipeline.terminal.speak import say


@contextlib.contextmanager
def lapsing_lock(uri: str, filesystem: fs.FileSystem, path: str) -> Iterator[None]:
    """
    Raises:
        UserError: another driver works here.
        LockLost: another driver took the lock meanwhile; then the body was stopped.
    """
    say(f"{uri}: this store has no conditional writes: start no second driver on this run, it may not be refused")
    if holder := lapsing_holder(filesystem, path):
        raise UserError(f"{refusal(uri, holder)}{LAPSES}")
    mine, stop = me(), threading.Event()
    atomic.write(path, mine, filesystem)

    def beat() -> None:
        while not stop.wait(HEARTBEAT_S):
            # What fails now may get through at the next beat, before the lock lapses.
            with contextlib.suppress(OSError):
                if (now := _read(filesystem, path)) in (mine, None):
                    atomic.write(path, mine, filesystem)
                else:
                    end(lost(uri, now))
                    return

    with interruptible() as end:
        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            # Left behind, it lapses.
            with contextlib.suppress(OSError):
                if _read(filesystem, path) == mine:
                    filesystem.delete_file(path)


def lapsing_holder(filesystem: fs.FileSystem, path: str) -> str | None:
    """Who renewed the lock lately, by this machine's clock."""
    info = filesystem.get_file_info(path)
    if info.type == fs.FileType.NotFound or time.time() - info.mtime_ns / 1e9 > LAPSE_S:
        return None
    return _read(filesystem, path)


def _read(filesystem: fs.FileSystem, path: str) -> str | None:
    if filesystem.get_file_info(path).type == fs.FileType.NotFound:
        return None
    with filesystem.open_input_stream(path) as stream:
        return str(stream.read().decode())
