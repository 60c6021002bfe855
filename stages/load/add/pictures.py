"""Where a source's pictures lie: by the names that rows have for them, or by files whose paths rows explain."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.errors import RowError
from stages.load.add.survey import Column, each, is_empty, is_picture, names_picture, read
from stages.load.sources.places import look
from stages.load.sources.roots import ImageRoot, open_root
from stages.load.sources.turns import pictures_of

MAX_FILES = 500_000
"""Pictures that are looked at in a folder."""
MAX_TEMPLATES = 400
_TRIED_ROWS = 8
_NUMBER = re.compile(r"(?P<before>.*?)(?P<digits>\d+)(?P<after>\D*)$")


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
    if held and any(is_picture(item) for place in held for value in by_place[place].filled for item in each(value)):
        return Pictures(image, root, *_count(rows, image, None))
    if not image and any(pictures_of(value) for column in columns for value in column.filled):
        by_row = zip(*(column.values for column in columns), strict=True)
        return Pictures([], root, sum(any(map(pictures_of, values)) for values in by_row), len(rows))
    where = root or (str(base) if base is not None else None)
    if where is None:
        return Pictures(image, None, 0, len(rows), ["the pictures are named, but there is no folder: give --images"])
    opened = open_root(where, "add, --images")
    found, named = _count(rows, image, opened)
    if found and found == named:
        return Pictures(image, root, found, named)
    names = list(_names(opened))
    best = _best_template(rows, columns, image, names, set(apart))
    if best is None or best[1] <= found:
        return Pictures(image, root, found, named or len(rows), [_told_missing(rows, image, where, len(names))])
    template, count, others = best
    notes = [f"other pictures of a row: {', '.join(others)}"] if others else []
    return Pictures([template], root, count, _named(rows, template) or len(rows), notes)


def _told_missing(rows: Sequence[Mapping[str, Any]], image: list[str], where: str, pictures: int) -> str:
    example = next((value for row in rows for place in image if not is_empty(value := look(row, place))), None)
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
        values = [item for place in image for item in each(_value(row, place)) if not is_empty(item)]
        named += bool(values)
        found += bool(values) and all(is_picture(value) or _is_there(root, value) for value in values)
    return found, named


def _value(row: Mapping[str, Any], place: str) -> Any:
    try:
        return read(look(row, place))
    except RowError:
        return None


def _is_there(root: ImageRoot | None, value: Any) -> bool:
    name = value.get("path") if isinstance(value, Mapping) else value
    return root is not None and isinstance(name, str) and root.holds(name)


def _names(root: ImageRoot) -> Iterator[str]:
    for number, name in enumerate(root.names()):
        if number >= MAX_FILES:
            return
        if names_picture(name):
            yield name


def _best_template(
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[Column],
    image: Sequence[str],
    names: Sequence[str],
    apart: set[str],
) -> tuple[str, int, list[str]] | None:
    """The text with places that gives the path of the most rows' pictures, how many, and others that give as many."""
    there = set(names)
    places = _short_places(columns, apart)
    templates: dict[str, None] = {}
    for row in [row for row in rows if not image or not is_empty(_value(row, image[0]))][:_TRIED_ROWS]:
        for name in _candidates(row, image, names):
            for template in _explanations(row, name, image, places):
                templates.setdefault(template)
                if len(templates) >= MAX_TEMPLATES:
                    break
    counted = [(_hits(rows, template, there), template) for template in templates]
    if not counted or (most := max(hits for hits, _ in counted)) == 0:
        return None
    best = [template for hits, template in counted if hits == most]
    best.sort(key=lambda template: (-template.count("{"), len(template)))
    files = {template.rpartition("/")[2] for template in best}
    others = [name for name in sorted(files) if name != best[0].rpartition("/")[2] and "{" not in name]
    return best[0], most, others


def _hits(rows: Sequence[Mapping[str, Any]], template: str, there: set[str]) -> int:
    hits = 0
    for row in rows:
        values = list(each(_value(row, template)))
        hits += bool(values) and all(value in there for value in values)
    return hits


def _named(rows: Sequence[Mapping[str, Any]], template: str) -> int:
    return sum(not is_empty(_value(row, template)) for row in rows)


def _short_places(columns: Sequence[Column], apart: set[str]) -> list[str]:
    """Places whose values can be a part of a path; a row's key and file first."""
    fit = [
        column.place
        for column in columns
        if column.place not in apart
        and column.part(lambda value: isinstance(value, (str, int)) and 0 < len(str(value)) < 100) == 1
    ]
    return sorted(
        fit, key=lambda place: (not place.startswith("_"), place.lower() not in ("split", "id", "pid", "qid"))
    )


def _candidates(row: Mapping[str, Any], image: Sequence[str], names: Sequence[str]) -> list[str]:
    """Files that could be the row's picture."""
    if not image:
        folder = row.get("_folder")
        key = str(row.get("_stem") or row.get("_key") or row.get("id") or "")
        if folder:
            return [name for name in names if str(PurePosixPath(name).parent) == folder][:8]
        return [name for name in names if key and PurePosixPath(name).stem == key][:8]
    value = next(iter(each(_value(row, image[0]))), None)
    value = value.get("path") if isinstance(value, Mapping) else value
    if is_empty(value):
        return []
    text = str(value).strip("/")
    whole = [name for name in names if name == text or name.endswith("/" + text)]
    return (whole or [name for name in names if _is_called(name, text)])[:8]


def _is_called(name: str, text: str) -> bool:
    stem = PurePosixPath(name).stem
    if stem == text:
        return True
    match = _NUMBER.fullmatch(stem)
    return bool(match and text.isdigit() and match["after"] == "" and int(match["digits"]) == int(text))


def _explanations(row: Mapping[str, Any], name: str, image: Sequence[str], places: Sequence[str]) -> Iterator[str]:
    """Texts with places that give this path in this row."""
    parts = name.split("/")
    own = []
    if image:
        value = next(iter(each(_value(row, image[0]))), None)
        text = str(value.get("path") if isinstance(value, Mapping) else value).strip("/")
        place = f"{image[0]}.path" if isinstance(value, Mapping) else image[0]
        if name.endswith(text):
            depth = text.count("/") + 1
            own, parts = ["{" + place + "}"], parts[:-depth]
        else:
            own, parts = [_numbered(parts[-1], text, place)], parts[:-1]
    first: list[str] = []
    folder = row.get("_folder")
    if isinstance(folder, str) and folder and len(folder.split("/")) < len(parts) + 1 and name.startswith(folder + "/"):
        # The folder of the row's own file says more than the names of its parts.
        first, parts = ["{_folder}"], parts[folder.count("/") + 1 :]
    choices = [_tokens(row, part, places) for part in parts]
    for chosen in product(*choices):
        yield "/".join([*first, *chosen, *own])


def _numbered(file: str, text: str, place: str) -> str:
    """`000000000009.jpg` as `{image_id:012d}.jpg`."""
    path = PurePosixPath(file)
    if path.stem == text and not text.startswith("0"):
        return "{" + place + "}" + path.suffix
    match = _NUMBER.fullmatch(path.stem)
    if match is None or path.stem == text:
        return "{" + place + "}" + path.suffix
    width = len(match["digits"])
    form = f":0{width}d" if match["digits"].startswith("0") or width > len(text) else ""
    return match["before"] + "{" + place + form + "}" + path.suffix


def _tokens(row: Mapping[str, Any], part: str, places: Sequence[str]) -> list[str]:
    stem, suffix = os.path.splitext(part)
    tokens = []
    for place in places:
        value = str(_value(row, place))
        if value == part:
            tokens.append("{" + place + "}")
        elif value == stem and suffix:
            tokens.append("{" + place + "}" + suffix)
    return [*tokens[:4], part]
