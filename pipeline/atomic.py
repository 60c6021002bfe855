"""Files and folders that are there as a whole or not at all, even after a power cut.

On a disk they are written aside, forced to the disk and renamed; then the folder that holds them is forced to the disk
too. An object store puts a file in one go: what is written waits in memory for its end.
"""

from __future__ import annotations

import errno
import os
import posixpath
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa
from pyarrow import fs

LOCAL = fs.LocalFileSystem()
_NOT_SUPPORTED = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)
_SYNCED_AT_ONCE = 16
"""A journal takes many files in one go: 1,000 small ones took 0.15 s so, and 4 s one after the other."""


def opened(path: str, filesystem: fs.FileSystem = LOCAL) -> pa.NativeFile:
    """A new file to write bytes to, without a promise: for the files of a `new_folder`, or of one that is `sync`ed.

    All bytes that are kept pass here, except those that other libraries write (a model's weights, Ray's blocks): what
    must see them as they come belongs here.
    """
    return filesystem.open_output_stream(path)


@contextmanager
def new_file(path: str | Path, filesystem: fs.FileSystem = LOCAL) -> Iterator[pa.NativeFile]:
    """A file to write bytes to, which takes the place of an old one at the end; its folder is made.

    If the block raises, the old file stays, and nothing of the new one.
    """
    if not isinstance(filesystem, fs.LocalFileSystem):
        whole = pa.BufferOutputStream()
        yield whole
        if parent := posixpath.dirname(str(path)):
            filesystem.create_dir(parent, recursive=True)
        with opened(str(path), filesystem) as out:
            out.write(whole.getvalue())
        return
    target = os.path.abspath(path)
    folder = os.path.dirname(target)
    os.makedirs(folder, exist_ok=True)
    # Not only for this process: two may write the same file, and the last one wins.
    aside = f"{target}.tmp-{uuid.uuid4().hex[:8]}"
    try:
        with opened(aside) as out:
            yield out
        _sync(aside)
        os.replace(aside, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(aside)
        raise
    _sync(folder)


def write(path: str | Path, content: str | bytes, filesystem: fs.FileSystem = LOCAL) -> None:
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
    finally:
        with suppress(OSError):
            _delete(staging, filesystem)


def sync(folder: str, filesystem: fs.FileSystem = LOCAL) -> None:
    """Forces all that lies in a folder to the disk: before the file is written that says it is complete."""
    if not isinstance(filesystem, fs.LocalFileSystem):
        return
    paths = [os.path.join(parent, name) for parent, _, names in os.walk(folder) for name in (*names, "")]
    with ThreadPoolExecutor(_SYNCED_AT_ONCE) as pool:
        list(pool.map(_sync, paths))


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
    """Two renames: a reader finds the old folder, for an instant none, then the new one."""
    old = f"{target}.tmp-old"
    _delete(old, LOCAL)
    if os.path.lexists(target):
        os.rename(target, old)
    os.rename(staging, target)
    _sync(os.path.dirname(target))
    _delete(old, LOCAL)


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


def _sync(path: str) -> None:
    """Forces a file or the entries of a folder to the disk, where the file system can."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_SUPPORTED:
            raise
    finally:
        os.close(descriptor)
