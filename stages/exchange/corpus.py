"""A released corpus as it lies on disk: its annotation files, and where its images are."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from pipeline.errors import UserError


@dataclass(frozen=True, slots=True)
class AnnotationFile:
    """A JSONL file in a folder or a zip: its path in there, and how to read it from its start."""

    name: str
    open: Callable[[], AbstractContextManager[IO[bytes]]]


def annotation_files(path: str) -> list[AnnotationFile]:
    """The `.jsonl` files that `path` stands for, in order of their names.

    `path` is one such file, a folder or zip of them, or the folder of a release, which holds `annotations/` or
    `annotations.zip`.

    Raises:
        UserError: there is none.
    """
    place = Path(path)
    for inner in ("annotations", "annotations.zip"):
        if (place / inner).exists():
            place = place / inner
            break
    if not place.exists():
        raise UserError(f"{path}: no such file or folder; name a .jsonl file, a folder or zip of them, or a release")
    if place.is_dir():
        files = [
            AnnotationFile(file.relative_to(place).as_posix(), _opener(file))
            for file in sorted(place.rglob("*.jsonl"))
            if file.is_file()
        ]
    elif place.suffix == ".zip":
        files = _zipped(place)
    else:
        files = [AnnotationFile(place.name, _opener(place))]
    if not files:
        raise UserError(f"{place}: holds no .jsonl file; name the folder or zip with the annotations")
    return files


def image_place(path: str, images: str | None) -> Path | None:
    """The image folder or zip that the user names, or the one beside the annotations; null if there is none.

    Of a zip in parts it is the first part.
    """
    if images is not None:
        place = Path(images)
        return next((found for found in (place, *_parts(place)) if found.exists()), place)
    folder = Path(path) if Path(path).is_dir() else Path(path).parent
    for base in (folder, folder.parent) if folder.name == "annotations" or Path(path).is_file() else (folder,):
        for found in (base / "images", base / "images.zip", *_parts(base / "images.zip")):
            if found.exists():
                return found
    return None


def _parts(place: Path) -> Iterator[Path]:
    """The first part of a zip, of a folder of parts or of a name without its ending."""
    yield place.with_name(f"{place.name}_aa")
    if place.is_dir():
        yield place / "images.zip_aa"


def _opener(file: Path) -> Callable[[], AbstractContextManager[IO[bytes]]]:
    return lambda: file.open("rb")


def _zipped(place: Path) -> list[AnnotationFile]:
    try:
        with zipfile.ZipFile(place) as archive:
            members = sorted(name for name in archive.namelist() if name.endswith(".jsonl"))
    except (OSError, zipfile.BadZipFile) as error:
        raise UserError(f"{place}: can't be read as a zip: {error}; download it again") from error

    @contextmanager
    def open_member(member: str) -> Iterator[IO[bytes]]:
        with zipfile.ZipFile(place) as archive, archive.open(member) as file:
            yield file

    return [AnnotationFile(name.removeprefix("annotations/"), partial(open_member, name)) for name in members]
