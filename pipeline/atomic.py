"""Files and folders that are there as a whole or not at all, even after a power cut.

On a disk they are written aside, forced to the disk and renamed; then the folder that holds them is forced to the disk
too. An object store puts a file in one go: what is written waits in memory for its end.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import posixpath
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
from pyarrow import fs

LOCAL = fs.LocalFileSystem()
_NOT_SUPPORTED = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)
_SYNCED_AT_ONCE = 16
"""A journal takes many files in one go: 1,000 small ones took 0.15 s so, and 4 s one after the other."""


@dataclass(frozen=True, slots=True)
class Sum:
    """What a file was when it was written: its length in bytes, and the SHA-256 of them as 64 hex digits."""

    bytes: int
    sha256: str


class Sink:
    """A new file that is written from beginning to end, and summed up on the way; what writes Parquet or Arrow takes it."""

    def __init__(self, out: pa.NativeFile) -> None:
        self._out = out
        self._digest = hashlib.sha256()
        self._bytes = 0

    @property
    def sum(self) -> Sum:
        """Of what was written so far."""
        return Sum(self._bytes, self._digest.hexdigest())

    @property
    def closed(self) -> bool:
        return bool(self._out.closed)

    def write(self, data: Any) -> int:
        """Takes anything with a buffer of bytes."""
        view = memoryview(data).cast("B")
        self._out.write(view)
        self._digest.update(view)
        self._bytes += len(view)
        return len(view)

    def tell(self) -> int:
        return self._bytes

    def flush(self) -> None:
        self._out.flush()

    def close(self) -> None:
        self._out.close()

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def __enter__(self) -> Sink:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def opened(path: str, filesystem: fs.FileSystem = LOCAL) -> Sink:
    """A new file to write bytes to, without a promise: for the files of a `new_folder`, or of one that is `sync`ed.

    All bytes that are kept pass here, except those that other libraries write (a model's weights, Ray's checkpoint).
    """
    return Sink(filesystem.open_output_stream(path))


@contextmanager
def new_file(
    path: str | Path, filesystem: fs.FileSystem = LOCAL, before: Callable[[Sum], None] | None = None
) -> Iterator[Sink]:
    """A file to write bytes to, which takes the place of an old one at the end; its folder is made.

    If the block raises, the old file stays, and nothing of the new one.

    Args:
        before: called when the new file is whole, and the old one still in its place.
    """
    if not isinstance(filesystem, fs.LocalFileSystem):
        memory = pa.BufferOutputStream()
        yield (whole := Sink(memory))
        if parent := posixpath.dirname(str(path)):
            filesystem.create_dir(parent, recursive=True)
        if before:
            before(whole.sum)
        with opened(str(path), filesystem) as out:
            out.write(memory.getvalue())
        return
    target = os.path.abspath(path)
    folder = os.path.dirname(target)
    os.makedirs(folder, exist_ok=True)
    # Not only for this process: two may write the same file, and the last one wins.
    aside = f"{target}.tmp-{uuid.uuid4().hex[:8]}"
    try:
        with opened(aside) as out:
            yield out
        force(aside)
        if before:
            before(out.sum)
        os.replace(aside, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(aside)
        raise
    force(folder)


def write(path: str | Path, content: str | bytes | pa.Buffer, filesystem: fs.FileSystem = LOCAL) -> None:
    """`new_file` with this content; text as UTF-8."""
    with new_file(path, filesystem) as out:
        out.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def new_folder(folder: str | Path, filesystem: fs.FileSystem = LOCAL, last: Sequence[str] = ()) -> Iterator[str]:
    """The path of an empty folder to fill, which takes the place of an old one at the end.

    If the block raises, the old folder stays, and nothing of the new one. Where an object store can't rename a folder,
    its files move one by one: the old ones are gone before, and those named in `last` come last, in that order.
    """
    target = place(folder, filesystem)
    staging = _staging(target)
    try:
        _delete(staging, filesystem)
        filesystem.create_dir(staging, recursive=True)
        yield staging
        sync(staging, filesystem)
        if isinstance(filesystem, fs.LocalFileSystem):
            _swap(staging, target)
        else:
            _move_files(staging, target, filesystem, last)
    except OSError:
        # A store that has just failed would be waited for once more. The next call begins by removing what lies there.
        if isinstance(filesystem, fs.LocalFileSystem):
            _try_to_delete(staging, filesystem)
        raise
    except BaseException:
        _try_to_delete(staging, filesystem)
        raise
    _try_to_delete(staging, filesystem)


def append(descriptor: int, line: bytes) -> int:
    """Adds to the end of a file that is open for that, and forces it to the disk; gives the bytes that were written."""
    written = os.write(descriptor, line)
    os.fsync(descriptor)
    return written


def sync(folder: str, filesystem: fs.FileSystem = LOCAL) -> None:
    """Forces a file, or all that lies in a folder, to the disk: before the file is written that says it is complete."""
    if not isinstance(filesystem, fs.LocalFileSystem):
        return
    if os.path.isfile(folder):
        force(folder)
        return
    paths = [os.path.join(parent, name) for parent, _, names in os.walk(folder) for name in (*names, "")]
    with ThreadPoolExecutor(_SYNCED_AT_ONCE) as pool:
        list(pool.map(force, paths))


def check_folder(folder: str, filesystem: fs.FileSystem = LOCAL) -> None:
    """Makes and removes what `new_folder` would write to: raises OSError where it could not."""
    staging = _staging(place(folder, filesystem))
    _delete(staging, filesystem)
    filesystem.create_dir(staging, recursive=True)
    _delete(staging, filesystem)


def place(folder: str | Path, filesystem: fs.FileSystem = LOCAL) -> str:
    """The folder to replace: on a local disk what a link points to, not the link."""
    return os.path.realpath(folder) if isinstance(filesystem, fs.LocalFileSystem) else str(folder).rstrip("/")


def _staging(target: str) -> str:
    return f"{target}.tmp-new"


def _swap(staging: str, target: str) -> None:
    """A reader finds the old folder or the new one; where the system can't exchange two, for an instant none."""
    old = f"{target}.tmp-old"
    _delete(old, LOCAL)
    if os.path.lexists(target):
        if _exchange(staging, target):
            os.rename(staging, old)
        else:
            os.rename(target, old)
            os.rename(staging, target)
    else:
        os.rename(staging, target)
    force(os.path.dirname(target))
    _delete(old, LOCAL)


def _exchange(one: str, other: str) -> bool:
    """Whether two folders now have each other's names: Linux can, on most file systems. Python has no call for it."""
    at_working_directory, exchange = -100, 2
    call = getattr(ctypes.CDLL(None), "renameat2", None) if os.name == "posix" else None
    names = (os.fsencode(one), os.fsencode(other))
    return call is not None and call(at_working_directory, names[0], at_working_directory, names[1], exchange) == 0


def _move_files(staging: str, target: str, filesystem: fs.FileSystem, last: Sequence[str]) -> None:
    def names(folder: str) -> list[str]:
        found = filesystem.get_file_info(fs.FileSelector(folder, allow_not_found=True))
        ranks = {name: rank for rank, name in enumerate(last)}
        return sorted((info.base_name for info in found), key=lambda name: (ranks.get(name, -1), name))

    for name in reversed(names(target)):
        filesystem.delete_file(f"{target}/{name}")
    filesystem.create_dir(target)
    for name in names(staging):
        filesystem.move(f"{staging}/{name}", f"{target}/{name}")


def _delete(folder: str, filesystem: fs.FileSystem) -> None:
    if filesystem.get_file_info(folder).type != fs.FileType.NotFound:
        filesystem.delete_dir(folder)


def _try_to_delete(folder: str, filesystem: fs.FileSystem) -> None:
    with suppress(OSError):
        _delete(folder, filesystem)


def force(path: str) -> None:
    """Forces a file or the entries of a folder to the disk, where the file system can."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_SUPPORTED:
            raise
    finally:
        os.close(descriptor)
