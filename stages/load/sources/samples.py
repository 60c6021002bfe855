"""Rows from a WebDataset tar: a sample is the members that follow each other with one stem, a column each ending."""

from __future__ import annotations

import posixpath
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any

from pipeline.errors import RowError, UserError
from stages.load.sources.data_files import DataFile
from stages.load.sources.nesting import KEY
from stages.load.sources.roots import MAX_FILE_BYTES
from stages.load.sources.rows import Row, Rows

PICTURES = frozenset({"png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff"})


def open_samples(file: DataFile) -> Rows:
    """`a/x1.json` and `a/x1.jpg` are the row `{"_key": "a/x1", "json": …, "jpg": …}`: pictures as bytes, all else as text.

    The text of `.json` and of lists is understood when a field names a place inside it.
    """

    def rows() -> Iterator[Row]:
        number = 0
        try:
            with _archive(file) as archive:
                # Read one by one: a packed archive can't go back.
                members = ((key, ending, _read(archive, info)) for key, ending, info in _members(archive))
                for number, (key, group) in enumerate(groupby(members, key=lambda member: member[0]), 1):
                    yield number, _sample(key, ((ending, data) for _, ending, data in group))
        except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
            if number == 0:
                raise UserError(f"{file.where}: not a readable tar file: {error}; pack it again") from error
            yield number + 1, RowError("unreadable_rows", f"the rows after {number} are lost: {error}")

    return Rows(rows(), lambda: _count(file))


@contextmanager
def _archive(file: DataFile) -> Iterator[tarfile.TarFile]:
    with file.open() as stream, tarfile.open(fileobj=stream, mode="r:" if file.path else "r|*") as archive:
        yield archive


def _members(archive: tarfile.TarFile) -> Iterator[tuple[str, str, tarfile.TarInfo]]:
    """Stem, ending and header of the samples' files; links and devices are none."""
    for info in archive:
        key, ending = _parted(info.name)
        if info.isreg() and not posixpath.basename(key).startswith(".") and posixpath.basename(key):
            yield key, ending, info
        archive.members.clear()  # type: ignore[attr-defined]  # it would keep the header of every member


def _count(file: DataFile) -> int | None:
    try:
        with _archive(file) as archive:
            return sum(1 for _ in groupby(key for key, _, _ in _members(archive)))
    except (tarfile.TarError, OSError, EOFError, zlib.error):
        return None  # said when the rows are read


def _parted(name: str) -> tuple[str, str]:
    """Stem and ending; the stem ends at the first dot of the file's own name."""
    folder, base = posixpath.split(name)
    stem, _, ending = base.partition(".")
    return posixpath.join(folder, stem), ending.lower()


def _read(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes | RowError:
    if info.size > MAX_FILE_BYTES:
        return RowError("file_too_large", f"{info.name!r} has {info.size} bytes, more than {MAX_FILE_BYTES}")
    stream = archive.extractfile(info)
    assert stream is not None  # only regular files come here
    return stream.read()


def _sample(key: str, members: Iterable[tuple[str, bytes | RowError]]) -> Any:
    row: dict[str, Any] = {KEY: key.encode(errors="replace").decode()}
    for ending, data in members:
        if isinstance(data, RowError):
            return data
        if ending in row:
            return RowError("ambiguous_sample", f"two members have the name {key}.{ending}; pack each once")
        row[ending] = data if ending.rpartition(".")[2] in PICTURES else _text(data)
    return row


def _text(data: bytes) -> str | bytes:
    try:
        return data.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        return data
