"""Texts with places, such as `{split}/{id:06d}.png`, that give the paths of rows' pictures: found by paths that rows explain."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import PurePosixPath
from typing import Any

from pipeline.errors import RowError
from stages.load.add.survey import Column, each, is_empty, read
from stages.load.sources.places import look

MAX_TEMPLATES = 400
_TRIED_ROWS = 8
_NUMBER = re.compile(r"(?P<before>.*?)(?P<digits>\d+)(?P<after>\D*)$")


@dataclass(frozen=True, slots=True)
class Template:
    """A text with places, the rows whose pictures it names, and other texts that name other pictures of as many."""

    text: str
    rows: int
    others: list[str]


def best_template(
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[Column],
    image: Sequence[str],
    names: Sequence[str],
    apart: set[str],
) -> Template | None:
    """The text with places that gives the paths of the most pictures, None if none gives any."""
    there = set(names)
    places = _short_places(columns, apart)
    templates: dict[str, None] = {}
    for row in [row for row in rows if not image or not is_empty(value_at(row, image[0]))][:_TRIED_ROWS]:
        for name in _candidates(row, image, names):
            for template in _explanations(row, name, image, places):
                templates.setdefault(template)
                if len(templates) >= MAX_TEMPLATES:
                    break
    found = {template: _paths(rows, template, there) for template in templates}
    # More different pictures before more rows: with one folder too few, the same file would fit every row.
    worth = {template: (len(set(paths.values())), len(paths)) for template, paths in found.items()}
    most = max(worth.values(), default=(0, 0))
    if most == (0, 0):
        return None
    best = [template for template in templates if worth[template] == most]
    best.sort(key=lambda template: (-template.count("{"), len(template)))
    equal = [template for template in best if template.count("{") == best[0].count("{")]
    differ = list({tuple(found[template].items()): template for template in reversed(equal)}.values())
    return Template(best[0], len(found[best[0]]), [template for template in differ if template != best[0]])


def _paths(rows: Sequence[Mapping[str, Any]], template: str, there: set[str]) -> dict[int, tuple[str, ...]]:
    """The paths of each row's pictures, of the rows whose pictures are there."""
    paths = {number: tuple(each(value_at(row, template))) for number, row in enumerate(rows)}
    return {number: path for number, path in paths.items() if path and all(name in there for name in path)}


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
    value = next(iter(each(value_at(row, image[0]))), None)
    value = value.get("path") if isinstance(value, Mapping) else value
    if is_empty(value):
        return []
    text = str(value).strip("/")
    whole = [name for name in names if name == text or name.endswith("/" + text)]
    base = PurePosixPath(text).name
    by_base = [name for name in names if base != text and (name == base or name.endswith("/" + base))]
    return (whole or by_base or [name for name in names if _is_called(name, text)])[:8]


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
        value = next(iter(each(value_at(row, image[0]))), None)
        text = str(value.get("path") if isinstance(value, Mapping) else value).strip("/")
        place = f"{image[0]}.path" if isinstance(value, Mapping) else image[0]
        if name.endswith(text):
            depth = text.count("/") + 1
            own, parts = ["{" + place + "}"], parts[:-depth]
        elif PurePosixPath(text).name == parts[-1]:
            own, parts = ["{" + place + ":name}"], parts[:-1]
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
        value = str(value_at(row, place))
        if value == part:
            tokens.append("{" + place + "}")
        elif value == stem and suffix:
            tokens.append("{" + place + "}" + suffix)
    return [*tokens[:4], part]


def value_at(row: Mapping[str, Any], place: str) -> Any:
    """What a row has at a place, None where it can't be read."""
    try:
        return read(look(row, place))
    except RowError:
        return None
