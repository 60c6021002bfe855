"""Which files a source's `path` stands for: one, those that a pattern fits, or members of an archive."""

from __future__ import annotations

import bz2
import fnmatch
import glob
import gzip
import lzma
import posixpath
import tarfile
import zipfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from pipeline.errors import UserError

MAX_MEMBERS = 2_000_000
"""Members that an archive of data files may have."""
MAX_MEMBER_BYTES = 2**33
"""Bytes of a data file inside an archive, unpacked."""
_PACKED: dict[str, Callable[[Any], IO[bytes]]] = {
    ".gz": cast(Any, gzip.open),
    ".bz2": cast(Any, bz2.open),
    ".xz": cast(Any, lzma.open),
}
ARCHIVES = (".zip", ".tar")


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of rows. `name` is its path below the source's folder, `where` what messages call it."""

    name: str
    where: str
    open: Callable[[], IO[bytes]]
    """The file's bytes, unpacked if its name ends in `.gz`, `.bz2` or `.xz`."""
    path: Path | None = None
    """Where it lies, if it is a plain file."""

    @property
    def suffix(self) -> str:
        """The ending that tells the format, without the packing's: `.jsonl` of `rows.jsonl.gz`."""
        name = posixpath.basename(self.name).lower()
        for packing in _PACKED:
            name = name.removesuffix(packing)
        return ".tar" if name.endswith(".tgz") else posixpath.splitext(name)[1]

    @property
    def packed(self) -> bool:
        return self.name.lower().endswith((*_PACKED, ".tgz"))


def is_pattern(path: str) -> bool:
    """Whether a path stands for all files that it fits; one that is there stands for itself."""
    return glob.has_magic(path) and not Path(path).exists()


def pattern_folder(path: str) -> Path:
    """The folder that a pattern starts from: the part before its first wildcard."""
    parts = Path(path).parts
    first = next(index for index, part in enumerate(parts) if glob.has_magic(part))
    return Path(*parts[:first])


def is_there(path: str) -> bool:
    """Whether a file has this path or fits it."""
    return next(glob.iglob(path, recursive=True), None) is not None if is_pattern(path) else Path(path).exists()


def find_data_files(path: str, members: str | None, where: str, suffixes: Collection[str]) -> list[DataFile]:
    """The files in the order of their names; of an archive, the members that end in one of `suffixes`.

    Raises:
        UserError: there is none, or it can't be read.
    """
    if is_pattern(path):
        base = pattern_folder(path)
        found = sorted(Path(name) for name in glob.iglob(path, recursive=True) if Path(name).is_file())
        if not found:
            raise UserError(f"{where}: no file matches this pattern; correct the path")
        return [_plain(file, file.relative_to(base).as_posix(), f"{where}, file {file}") for file in found]
    file = Path(path)
    if file.is_dir():
        raise UserError(f"{where}: is a folder; name a file, a pattern such as {path.rstrip('/')}/**/*.json, "
                        "or give a Hugging Face dataset as `dataset`")  # fmt: skip
    try:
        file.open("rb").close()
    except FileNotFoundError:
        raise UserError(f"{where}: no such file; correct the path") from None
    except OSError as error:
        raise UserError(f"{where}: can't be read: {error.strerror}") from error
    if file.suffix.lower() == ".zip" or (members is not None and file.suffix.lower() == ".tar"):
        return _members(file, members, where, suffixes)
    if members is not None:
        raise UserError(f"{where}: has `members` but is not a .zip or .tar file; remove `members`")
    return [_plain(file, file.name, where)]


def _plain(path: Path, name: str, where: str) -> DataFile:
    packing = _PACKED.get(path.suffix.lower())
    if packing is None:
        return DataFile(name, where, lambda: path.open("rb"), path)
    return DataFile(name, where, lambda: packing(path))


def _members(path: Path, pattern: str | None, where: str, suffixes: Collection[str]) -> list[DataFile]:
    """The files of rows inside an archive, those that fit the pattern if there is one; links are no files."""
    try:
        found = list(_zip_members(path, where) if path.suffix.lower() == ".zip" else _tar_members(path, where))
    except (OSError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise UserError(f"{where}: can't be read as {path.suffix}: {error}; pack it again") from error
    chosen = [file for file in found if _is_wanted(file, pattern, suffixes)]
    if not chosen:
        endings = ", ".join(sorted({file.suffix or "none" for file in found}))
        fits = f"fits {pattern!r}" if pattern else "is a file of rows"
        raise UserError(f"{where}: no member {fits} (its files end in {endings}); name them as `members`")
    return sorted(chosen, key=lambda file: file.name)


def _is_wanted(file: DataFile, pattern: str | None, suffixes: Collection[str]) -> bool:
    if pattern is not None:
        return fnmatch.fnmatchcase(file.name, pattern)
    # What macOS adds to an archive holds no rows.
    hidden = any(part.startswith((".", "__MACOSX")) for part in file.name.split("/"))
    return file.suffix in suffixes and not hidden


def _checked(names_and_sizes: Iterator[tuple[str, int]], where: str) -> Iterator[str]:
    for number, (name, size) in enumerate(names_and_sizes, 1):
        if number > MAX_MEMBERS:
            raise UserError(f"{where}: has more than {MAX_MEMBERS:,} members; unpack it and give a pattern")
        if size > MAX_MEMBER_BYTES:
            raise UserError(f"{where}: {name} unpacks to {size:,} bytes, more than {MAX_MEMBER_BYTES:,}; unpack it")
        yield name


def _zip_members(path: Path, where: str) -> Iterator[DataFile]:
    archive = zipfile.ZipFile(path)
    infos = [info for info in archive.infolist() if not info.is_dir()]

    def opener(info: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
        packing = _PACKED.get(posixpath.splitext(info.filename.lower())[1])
        return lambda: packing(archive.open(info)) if packing else archive.open(info)

    names = _checked(((info.filename, info.file_size) for info in infos), where)
    for name, info in zip(names, infos, strict=True):
        yield DataFile(name, f"{where}, member {name}", opener(info))


def _tar_members(path: Path, where: str) -> Iterator[DataFile]:
    archive = tarfile.open(path, "r:")  # noqa: SIM115  (its members are read later)
    infos = [info for info in archive if info.isreg()]

    def opener(info: tarfile.TarInfo) -> Callable[[], IO[bytes]]:
        packing = _PACKED.get(posixpath.splitext(info.name.lower())[1])
        return lambda: packing(archive.extractfile(info)) if packing else cast(IO[bytes], archive.extractfile(info))

    names = _checked(((info.name, info.size) for info in infos), where)
    for name, info in zip(names, infos, strict=True):
        yield DataFile(name, f"{where}, member {name}", opener(info))
