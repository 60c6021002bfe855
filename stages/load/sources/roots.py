"""Where a source's image files lie: a folder, or a zip (whole or in parts) or tar file that is read in place.

A root gives the bytes that a name stands for, and never anything from outside it.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Protocol

from pipeline.errors import RowError, UserError
from stages.load.sources.parts import is_part, open_parts

MAX_FILE_BYTES = 2**28
_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


class ImageRoot(Protocol):
    """Gives a file's bytes by its name."""

    def read(self, name: str) -> bytes:
        """Raises RowError if there is no such file in the root or it can't be read."""

    def holds(self, name: str) -> bool:
        """Whether there is such a file; nothing is read."""

    def names(self) -> Iterator[str]:
        """The names of all files."""


def open_root(path: str | Path, where: str, places: str = "") -> ImageRoot:
    """Opens a folder, a `.zip`, the first part of one (`.zip_aa`) or a `.tar`.

    `where` is what messages call it, and `places` what they say of where it was looked for.
    """
    path = Path(path)
    if path.is_dir():
        return Folder(path)
    opener: Callable[[Path], Archive] | None = {".zip": _open_zip, ".tar": _open_tar}.get(path.suffix.lower())
    if not path.exists():
        raise UserError(f"{where}: no such folder or file{places}; correct `images`")
    if is_part(path):
        opener = _open_parts
    if opener is None:
        raise UserError(f"{where}: is not a folder, .zip, .zip_aa or .tar file; correct `images`")
    try:
        return opener(path)
    except (OSError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise UserError(f"{where}: can't be read as {path.suffix}: {error}; pack it again") from error


class Folder:
    """Files below a folder; links may be followed as long as they stay in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder.resolve())
        self._below = self._folder.rstrip("/") + "/"
        self._folders: dict[str, str] = {}

    def read(self, name: str) -> bytes:
        """See `ImageRoot.read`."""
        try:
            file = self._real(name)
        except (OSError, ValueError) as error:  # too long, a NUL
            raise RowError("missing_image", f"{name!r}: {error}") from error
        if not self._is_below(file):
            raise RowError("image_outside_root", f"{name!r} is not below the image folder")
        try:
            # Opening anything but a file could wait for ever, as a named pipe does.
            found = os.stat(file)
            if not stat.S_ISREG(found.st_mode):
                raise FileNotFoundError(errno.ENOENT, name)
            _check_size(name, found.st_size)
            with open(file, "rb") as data:
                return data.read()
        except ValueError as error:  # a NUL
            raise RowError("missing_image", f"{name!r}: {error}") from error
        except OSError as error:
            if error.errno in _MISSING:
                raise RowError("missing_image", f"{name!r}: no such file") from error
            raise RowError("unreadable_image", f"{name!r}: {error.strerror}") from error

    def holds(self, name: str) -> bool:
        """See `ImageRoot.holds`."""
        try:
            file = self._real(name)
            return self._is_below(file) and Path(file).is_file()
        except (OSError, ValueError):
            return False

    def _real(self, name: str) -> str:
        # As texts, and a folder once: this is asked for every image of a corpus, and asks for each folder of a path.
        folder, last = os.path.split(os.path.join(self._folder, name))
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        file = os.path.join(self._folders[folder], last)
        return os.path.realpath(file) if last in ("", ".", "..") or os.path.islink(file) else file

    def _is_below(self, file: str) -> bool:
        return file == self._folder or file.startswith(self._below)

    def names(self) -> Iterator[str]:
        """See `ImageRoot.names`."""
        for folder, folders, files in os.walk(self._folder):
            folders.sort()
            yield from ((Path(folder) / file).relative_to(self._folder).as_posix() for file in sorted(files))


class Archive:
    """Files inside an open archive, by their normalised names."""

    def __init__(self, sizes: dict[str, int], read: Callable[[str], bytes]) -> None:
        self._sizes = sizes
        self._read = read

    def read(self, name: str) -> bytes:
        """See `ImageRoot.read`."""
        normal = posixpath.normpath(name)
        if normal == ".." or normal.startswith(("/", "../")):
            raise RowError("image_outside_root", f"{name!r} is not inside the archive")
        if normal not in self._sizes:
            raise RowError("missing_image", f"{name!r}: no such file in the archive")
        _check_size(name, self._sizes[normal])
        try:
            return self._read(normal)
        except Exception as error:  # a damaged member raises whatever its compression does
            raise RowError("unreadable_image", f"{name!r}: {error}") from error

    def holds(self, name: str) -> bool:
        """See `ImageRoot.holds`."""
        return posixpath.normpath(name) in self._sizes

    def names(self) -> Iterator[str]:
        """See `ImageRoot.names`."""
        return iter(self._sizes)


def _open_parts(path: Path) -> Archive:
    return _open_zip(open_parts(path))


def _open_zip(file: Path | IO[bytes]) -> Archive:
    archive = zipfile.ZipFile(file)
    members = {posixpath.normpath(info.filename): info for info in archive.infolist() if not info.is_dir()}
    sizes = {name: info.file_size for name, info in members.items()}
    return Archive(sizes, lambda name: archive.read(members[name]))


def _open_tar(path: Path) -> Archive:
    # Uncompressed only: a compressed tar would have to be unpacked from its start for every image.
    with tarfile.open(path, "r:") as archive:
        # Links are left out: one in an archive can name a file outside it.
        members = {posixpath.normpath(info.name): info for info in archive if info.isreg()}

    def read(name: str) -> bytes:
        with path.open("rb") as file:
            file.seek(members[name].offset_data)
            return file.read(members[name].size)

    return Archive({name: info.size for name, info in members.items()}, read)


def _check_size(name: str, size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise RowError("image_too_large", f"{name!r} has {size} bytes, more than {MAX_FILE_BYTES}")
