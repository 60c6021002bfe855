"""What a row gets from other rows: the row of another file with the same key, or another row's picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from pipeline.errors import RowError
from pipeline.source_config import JoinConfig, SourceConfig
from stages.load.sources.places import look
from stages.load.sources.rows import Rows
from stages.load.sources.values import absent

MAX_NAME = 64
"""Characters of a key in a picture's place."""
_SEVERAL = object()


def with_partners(rows: Rows, joins: Mapping[str, JoinConfig], open_file: Callable[[str, JoinConfig], Rows]) -> Rows:
    """Each row with the row of every other file that has the same key, as a column of the join's name.

    The other files are read once, whole, before the first row.
    """
    tables: dict[str, dict[str, Any]] = {}

    def parse(raw: Any, number: int | str) -> Any:
        row = rows.parse(raw, number)
        if not isinstance(row, Mapping):
            return row
        for name, join in joins.items():
            if name not in tables:
                tables[name] = _table(open_file(name, join), join)
            partner = _partner(row, name, join, tables[name])
            if isinstance(partner, RowError):
                return partner
            row = {**row, name: partner}
        return row

    return dataclasses.replace(rows, parse=parse)


def _table(rows: Rows, join: JoinConfig) -> dict[str, Any]:
    """The other rows by key, None for a key that several have."""
    table: dict[str, Any] = {}
    for _, row in rows.take(None):
        if isinstance(row, Mapping) and (key := _key(row, join.other_key)) is not None:
            table[key] = None if key in table else row
    return table


def _partner(row: Mapping[str, Any], name: str, join: JoinConfig, table: Mapping[str, Any]) -> Any:
    key = _key(row, join.own_key)
    if key is None or key not in table:
        return RowError("no_partner", f"no row of `join.{name}` has the {join.other_key} {key!r}")
    if table[key] is None:
        return RowError("ambiguous_partner", f"several rows of `join.{name}` have the {join.other_key} {key!r}")
    return table[key]


def _key(row: Mapping[str, Any], place: str) -> str | None:
    """A key as text: a CSV file has no numbers."""
    value = look(row, place)
    return None if absent(value) or isinstance(value, (dict, list, bytes)) else str(value)


def with_borrowed_pictures(source: SourceConfig, open_again: Callable[[], Rows]) -> Rows:
    """The rows, those whose image names another row (by its `borrow_images` column) with that row's picture.

    Every row is read once before the first is given; the pictures that are named are held in memory.
    """
    key_column, image_column = source.borrow_images, source.fields.image
    if key_column is None or not isinstance(image_column, str):
        return open_again()
    rows = open_again()
    pictures: dict[str, Any] | None = None

    def parse(raw: Any, number: int | str) -> Any:
        nonlocal pictures
        if pictures is None:
            pictures = _named_pictures(open_again, key_column, image_column)
        row = rows.parse(raw, number)
        name = _named(row, image_column)
        if name is None or name not in pictures:
            return row
        if pictures[name] is _SEVERAL:
            return RowError("missing_image", f"several rows have the {key_column} {name!r}, which the image names")
        if absent(pictures[name]) or _named({image_column: pictures[name]}, image_column) in pictures:
            return RowError("missing_image", f"the row whose {key_column} is {name!r} has no picture of its own")
        return {**row, image_column: pictures[name]}

    return dataclasses.replace(rows, parse=parse)


def _named_pictures(open_again: Callable[[], Rows], key_column: str, image_column: str) -> dict[str, Any]:
    """The image of every row whose key stands in another's place for a picture."""
    named = {key for _, row in open_again().take(None) if (key := _named(row, image_column)) is not None}
    pictures: dict[str, Any] = {}
    for _, row in open_again().take(None):
        if isinstance(row, Mapping) and (key := _key(row, key_column)) is not None and key in named:
            pictures[key] = _SEVERAL if key in pictures else look(row, image_column)
    return pictures


def _named(row: Any, image_column: str) -> str | None:
    """What stands in a picture's place, if it can be another row's key."""
    value = look(row, image_column) if isinstance(row, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    name = str(value).strip()
    return name if 0 < len(name) <= MAX_NAME else None
