"""What the files of a folder were when they were written: `manifest.json`, with the size and SHA-256 of each.

The sums are taken from the bytes on their way to the disk (`pipeline.atomic.Sink`), never from what lies there later.
A file that is written again may for a moment be the old or the new one, whichever a power cut left: both sums stand.
The manifest carries a sum of itself, so that damage to it is not taken for damage to what it names.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pyarrow import fs

from pipeline import atomic
from pipeline.atomic import LOCAL, Sum

FILE = "manifest.json"
_CHUNK_BYTES = 1 << 20
_AT_ONCE = 16

Sums = Mapping[str, tuple[Sum, ...]]
"""Names below the folder, and for each what it may be, the latest first."""


UNREADABLE = (Sum(-1, ""),)
"""Stands for a file that could not be read when its folder got its manifest: whatever lies there is damaged."""


class Damaged(Exception):
    """The manifest itself can't be read, or is not what was written."""


def load(folder: str, filesystem: fs.FileSystem = LOCAL) -> dict[str, tuple[Sum, ...]] | None:
    """The manifest of a folder; None where there is none.

    Raises:
        Damaged: it is not what was written.
    """
    path = posixpath.join(folder, FILE)
    if not filesystem.get_file_info(path).is_file:
        return None
    try:
        with filesystem.open_input_stream(path) as file:
            held = json.loads(file.read())
        files = held["files"]
        if held["sha256"] != _digest(files):
            raise ValueError("its own sum differs")
        return {name: tuple(_sum(one) for one in entry) for name, entry in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        _raise_if_refused(error, filesystem)
        raise Damaged(f"{FILE} is damaged ({' '.join(str(error).split())[:100]})") from error


def save(folder: str, sums: Sums, filesystem: fs.FileSystem = LOCAL) -> None:
    """Writes the manifest of a folder."""
    files = {name: [{"bytes": one.bytes, "sha256": one.sha256} for one in sums[name]] for name in sorted(sums)}
    document = {"files": files, "sha256": _digest(files)}
    atomic.write(posixpath.join(folder, FILE), json.dumps(document, indent=1, sort_keys=True) + "\n", filesystem)


def save_of(folder: str, filesystem: fs.FileSystem = LOCAL, known: Mapping[str, Sum] | None = None) -> None:
    """Writes the manifest of a new folder. Files that are not `known` are read for it: what other libraries wrote."""
    known = known or {}
    infos = filesystem.get_file_info(fs.FileSelector(folder, recursive=True))
    names = [posixpath.relpath(info.path, folder) for info in infos if info.is_file]
    save(
        folder,
        {name: (known.get(name) or sum_of(posixpath.join(folder, name), filesystem),) for name in names},
        filesystem,
    )


def sum_of(path: str, filesystem: fs.FileSystem = LOCAL) -> Sum:
    """Reads a whole file for its sum, a chunk at a time."""
    digest, size = hashlib.sha256(), 0
    with filesystem.open_input_stream(path) as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return Sum(size, digest.hexdigest())


def faults(
    folder: str,
    sums: Sums,
    filesystem: fs.FileSystem = LOCAL,
    full: Callable[[str], bool] = lambda name: True,
    sizes: Mapping[str, int] | None = None,
) -> dict[str, str]:
    """What is wrong with the files of a folder, by name, in order: `is missing`, `is empty`, `has 3 of 10 bytes`, …

    Args:
        full: says of a file whether every byte is read; otherwise only its size is compared, from one listing.
        sizes: what `sizes_of` gave, if it was called before.
    """
    there = sizes_of(folder, filesystem) if sizes is None else sizes
    found = {name: fault for name, held in sums.items() if (fault := _size_fault(there.get(name), held))}
    whole = [name for name in sums if name not in found and full(name)]

    def look(name: str) -> str | None:
        return _content_fault(posixpath.join(folder, name), sums[name], filesystem)

    with ThreadPoolExecutor(min(_AT_ONCE, 2 * (os.cpu_count() or 1))) as pool:
        found |= {name: fault for name, fault in zip(whole, pool.map(look, whole), strict=True) if fault}
    return dict(sorted(found.items()))


def sizes_of(folder: str, filesystem: fs.FileSystem = LOCAL) -> dict[str, int]:
    """The bytes of every file in a folder, however deep, by its name below it."""
    # One listing and not a question a file: an object store answers a thousand names at a time.
    listed = filesystem.get_file_info(fs.FileSelector(folder, recursive=True, allow_not_found=True))
    start = len(folder.rstrip("/")) + 1
    return {info.path[start:]: info.size for info in listed if info.type == fs.FileType.File}


def folder_faults(folder: str, filesystem: fs.FileSystem = LOCAL, full: bool = True) -> dict[str, str] | None:
    """`faults` by the folder's own manifest; None where it has none."""
    try:
        sums = load(folder, filesystem)
    except Damaged:
        return {FILE: "is damaged"}
    return None if sums is None else faults(folder, sums, filesystem, lambda _: full)


def told(found: Mapping[str, str], most: int = 3) -> str:
    """Faults on one line: the first ones, and how many more."""
    lines = [f"{name} {fault}" for name, fault in found.items()]
    more = f", and {len(lines) - most} more" if len(lines) > most else ""
    return ", ".join(lines[:most]) + more


def _size_fault(size: int | None, sums: tuple[Sum, ...]) -> str | None:
    if size is None:
        return "is missing"
    if sums == UNREADABLE:
        return "can't be read"
    if all(size != one.bytes for one in sums):
        return f"has {size:,} of {sums[0].bytes:,} bytes" if size else "is empty"
    return None


def _content_fault(path: str, sums: tuple[Sum, ...], filesystem: fs.FileSystem) -> str | None:
    try:
        return None if sum_of(path, filesystem) in sums else "is not what was written"
    except OSError as error:
        _raise_if_refused(error, filesystem)
        return f"can't be read ({' '.join(str(error).split())[:100]})"


def _raise_if_refused(error: Exception, filesystem: fs.FileSystem) -> None:
    """What a store refuses to give says nothing of the file: it may be there in a minute."""
    if isinstance(error, OSError) and not isinstance(filesystem, fs.LocalFileSystem):
        raise error


def _sum(entry: Mapping[str, Any]) -> Sum:
    return Sum(int(entry["bytes"]), str(entry["sha256"]))


def _digest(files: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
