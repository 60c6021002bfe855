"""Where a source's pictures lie, and which of them are a row's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from stages.load.add.survey import Column, each, is_empty, is_picture, names_picture
from stages.load.add.templates import Template, best_template, value_at
from stages.load.sources.roots import ImageRoot, open_root
from stages.load.sources.turns import pictures_of

MAX_FILES = 500_000
"""Pictures that are looked at in a folder."""


@dataclass
class Pictures:
    """The image setting, the root if it is not the rows' own folder, and the share of rows with a picture named."""

    image: list[str]
    images: str | None = None
    found: int = 0
    named: int = 0
    notes: list[str] = field(default_factory=list)


def find_pictures(
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[Column],
    image: list[str],
    root: str | None,
    base: Path | None,
    apart: Iterable[str],
) -> Pictures:
    """Finds the pictures that rows name.

    Args:
        rows: some rows.
        columns: what they hold.
        image: the places that seem to hold pictures or their names; may be empty.
        root: the folder or archive that the user named.
        base: the rows' own folder.
        apart: places that no path is made of, such as the answer.
    """
    by_place = {column.place: column for column in columns}
    held = [place for place in image if place in by_place]
    where = root or (str(base) if base is not None else None)
    opened = open_root(where, "add, --images") if where is not None else None
    if held and any(is_picture(item) for place in held for value in by_place[place].filled for item in each(value)):
        return Pictures(image, root, *_count(rows, image, opened))
    if not image and any(pictures_of(value) for column in columns for value in column.filled):
        by_row = zip(*(column.values for column in columns), strict=True)
        return Pictures([], root, sum(any(map(pictures_of, values)) for values in by_row), len(rows))
    if where is None or opened is None:
        return Pictures(image, None, 0, len(rows), ["the pictures are named, but there is no folder: give --images"])
    found, named = _count(rows, image, opened)
    if found and found == named:
        return Pictures(image, root, found, named)
    names = list(_names(opened))
    best = best_template(rows, columns, image, names, set(apart)) or _by_some_key(rows, columns, names, set(apart))
    if best is None or best.rows <= found:
        told = _told_missing(rows, image, opened, where, len(names))
        return Pictures(image, root, found, named or len(rows), [told])
    if best.others and image:
        told = f"the rows' pictures lie in several places, such as {best.text} and {best.others[0]}: give --images"
        return Pictures(image, root, found, named, [told])
    notes = [f"other pictures of a row: {', '.join(best.others)}"] if best.others else []
    named = sum(not is_empty(value_at(row, best.text)) for row in rows)
    return Pictures([best.text], root, best.rows, named or len(rows), notes)


def _by_some_key(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[Column], names: Sequence[str], apart: set[str]
) -> Template | None:
    """A column that is not called like one of pictures, but whose values are the names of files in every row."""
    stems = {PurePosixPath(name).stem for name in names}
    for column in columns:
        if column.place not in apart and column.share == 1 and all(str(value) in stems for value in column.values):
            return best_template(rows, columns, [column.place], names, apart)
    return None


def _told_missing(
    rows: Sequence[Mapping[str, Any]], image: list[str], opened: ImageRoot, where: str, pictures: int
) -> str:
    named_there = (item for row in rows for place in image for item in each(value_at(row, place)) if not is_empty(item))
    example = next((item for item in named_there if not (_is_held(item) or _is_there(opened, item))), None)
    named = (
        f"no picture {str(example)[:80]!r}"
        if example is not None
        else "no column names a picture, and no file's path fits"
    )
    form = ""
    if image and (isinstance(example, int) or (isinstance(example, str) and example.isdigit())):
        form = f"; if its files are called by number, image: '{{{image[0]}:012d}}.jpg'"
    return f"{named} below {where} ({pictures:,} pictures there): give --images{form}"


def _count(rows: Sequence[Mapping[str, Any]], image: Sequence[str], root: ImageRoot | None) -> tuple[int, int]:
    """Rows whose pictures are all there, and rows that name any."""
    found = named = 0
    for row in rows:
        values = [item for place in image for item in each(value_at(row, place)) if not is_empty(item)]
        named += bool(values)
        found += bool(values) and all(_is_held(value) or _is_there(root, value) for value in values)
    return found, named


def _is_held(value: Any) -> bool:
    return is_picture(value) and not (isinstance(value, Mapping) and value["bytes"] is None)


def _is_there(root: ImageRoot | None, value: Any) -> bool:
    name = value.get("path") if isinstance(value, Mapping) else value
    return root is not None and isinstance(name, str) and root.holds(name)


def _names(root: ImageRoot) -> Iterator[str]:
    for number, name in enumerate(root.names()):
        if number >= MAX_FILES:
            return
        if names_picture(name):
            yield name
