"""Keeps a second driver out of a run directory.

On a disk the kernel does, by `flock`. On S3 it takes a conditional put, and since a driver may be cut off from the store
for a while, every commit asks whether its driver still has the lock (`Fence`).
"""

from __future__ import annotations

import os
import socket
from contextlib import AbstractContextManager
from typing import Protocol

from pyarrow import fs

from pipeline.errors import UserError


class LockLost(UserError):
    """Another driver has taken the lock: what this one has not committed is that one's work now."""


class Fence(Protocol):
    """What a driver that has the lock hands to whoever commits for it. It can be pickled."""

    def check(self) -> None:
        """
        Raises:
            LockLost: another driver has the lock.
            UserError: the store doesn't say.
        """


def driver_lock(uri: str, filesystem: fs.FileSystem, path: str) -> AbstractContextManager[Fence | None]:
    """Holds the lock in the file `path` of the run directory `uri`; no fence where nobody else can get it meanwhile.

    Raises:
        UserError: another driver works here.
        LockLost: another driver took the lock meanwhile; then the body was stopped.
    """
    if isinstance(filesystem, fs.LocalFileSystem):
        from pipeline.lock.disk import disk_lock

        return disk_lock(uri, path)
    if isinstance(filesystem, fs.S3FileSystem):
        from pipeline.lock.s3 import s3_lock

        return s3_lock(uri, filesystem, path)
    from pipeline.lock.lapsing import lapsing_lock

    return lapsing_lock(uri, filesystem, path)


def driver_of(uri: str, filesystem: fs.FileSystem, path: str) -> str | None:
    """Who holds the lock now, if anybody does."""
    if isinstance(filesystem, fs.LocalFileSystem):
        from pipeline.lock.disk import disk_holder

        return disk_holder(path)
    if isinstance(filesystem, fs.S3FileSystem):
        from pipeline.lock.s3 import s3_holder

        return s3_holder(uri, filesystem, path)
    from pipeline.lock.lapsing import lapsing_holder

    return lapsing_holder(filesystem, path)


def me() -> str:
    """This driver, for a person."""
    return f"process {os.getpid()} on {socket.gethostname()}"


def refusal(uri: str, holder: str) -> UserError:
    return UserError(f"{uri}: another driver works on this run ({holder.strip() or 'unknown'}): wait for it or stop it")


def lost(uri: str, holder: str | None) -> LockLost:
    """`holder` is None where the file of the lock is gone."""
    who = f"{holder} works on this run now" if holder else "its file was removed"
    return LockLost(f"{uri}: lost the lock: {who}: wait for the other driver or stop it")


HEARTBEAT_S = 10.0
"""How often a driver renews its lock on an object store."""
LAPSE_S = 3 * HEARTBEAT_S
"""A lock that was not renewed for so long is a dead driver's."""
LAPSES = f"; a lock of a driver that was killed lapses {LAPSE_S:.0f} s after its last sign of life"
