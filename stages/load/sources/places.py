"""What a setting of `fields` names: a column, a place inside one, or a text with columns in it."""

from __future__ import annotations

import posixpath
import string
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.errors import RowError
from pipeline.source_config import Place
from stages.load.sources.literals import structured
from stages.load.sources.values import absent


def look(row: Mapping[str, Any], place: str) -> Any:
    """The value at a place, None if there is none.

    A place is a column (`answer`), a path (`json.question`, `turns.0.value`, `turns.role=user.content`: the first item
    whose `role` is `user`; `choices.*.text`: of every item), or a text with such places in braces
    (`{split}/{image_id:012d}.jpg`; `{path:name}` is the last part of a path), which is absent where one of them is.

    Raises:
        RowError: a value does not fit its place in the text, or has two readings.
    """
    if place in row:
        return row[place]
    if "{" in place:
        return _filled(place, row)
    return _inside(row, place.split("."))


def look_all(row: Mapping[str, Any], place: Place) -> list[Any]:
    """The values at one place or several, None where there is none."""
    return [look(row, each) for each in ((place,) if isinstance(place, str) else place)]


def columns_of(place: Place) -> Iterator[str]:
    """The columns that the places begin with."""
    for each in (place,) if isinstance(place, str) else place:
        for name in _names(each) if "{" in each else [each]:
            yield name
            yield name.partition(".")[0]


def _names(text: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]


def _filled(template: str, row: Mapping[str, Any]) -> str | list[Any] | None:
    values = {name: structured(look(row, name)) for name in _names(template)}
    if any(absent(value) or value == "" for value in values.values()):
        return None
    for name, value in values.items():
        if isinstance(value, (list, tuple)):
            # A text for each item: `images/{names}`.
            return [_filled(template, {**row, **values, name: item}) for item in value]
    out = ""
    for before, part, form, _ in string.Formatter().parse(template):
        out += before
        if part is not None:
            out += _formatted(values[part], form or "", f"{template}: {part}")
    return out


def _formatted(value: Any, form: str, where: str) -> str:
    if form == "name":
        return posixpath.basename(str(value))
    try:
        # An id of a CSV file is text.
        return format(_whole(value) if form.endswith("d") else value, form)
    except (TypeError, ValueError) as error:
        raise RowError("wrong_type", f"{where} is {value!r}: {error}") from error


def _whole(value: Any) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise ValueError("not a whole number")
    return int(value)


def _inside(value: Any, parts: Sequence[str]) -> Any:
    for depth, part in enumerate(parts):
        value = structured(value)
        if part == "*":
            items = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
            return [_inside(item, parts[depth + 1 :]) for item in items] or None
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, (list, tuple)):
            value = _item(value, part)
        else:
            return None
    return value


def _item(items: Sequence[Any], part: str) -> Any:
    key, equals, wanted = part.partition("=")
    if equals:
        return next((item for item in items if isinstance(item, Mapping) and str(item.get(key)) == wanted), None)
    try:
        return items[int(part)]
    except (ValueError, IndexError):
        return None
