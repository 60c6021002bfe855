"""Where in a JSON value the rows are: a list, an object of rows by their ids, or rows inside rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.errors import RowError, UserError
from stages.load.sources.literals import structured

KEY = "_key"
"""The column that holds the key by which a row stands in an object."""
WHOLE = "."
"""Stands for the whole value as one row."""
_MAX_HANDED_DOWN = 64


def document_rows(content: Any, rows: str | None, where: str) -> Iterator[Any]:
    """The rows of a file's JSON value.

    `rows` is a path of keys: `questions` is the list under that key, `*` every value of an object (whose key becomes
    the column `_key`) or item of a list, `data.*.qas` the lists `qas` of all items of `data`; an inner row has the
    plain values of the outer ones, too. `.` is the value itself. Without it, the value is the list, or has it as
    `data`.

    Raises:
        UserError: there are none; says what would fit.
    """
    if rows is None:
        listed = content.get("data") if isinstance(content, dict) else content
        if not isinstance(listed, list):
            raise UserError(f"{where}: holds no list of rows{_mend(content)}")
        yield from listed
        return
    found = list(inner_rows(content, rows))
    if not found or (isinstance(found[0], RowError) and len(found) == 1):
        raise UserError(f"{where}: no rows at `rows: {rows}`{_mend(content)}")
    yield from found


def inner_rows(value: Any, rows: str) -> Iterator[Any]:
    """The rows at a path in a value, a RowError in the place of what holds none."""
    return _walk(value, [] if rows == WHOLE else rows.split("."), {}, rows)


def _walk(value: Any, parts: Sequence[str], outer: Mapping[str, Any], path: str) -> Iterator[Any]:
    value = structured(value)
    if not parts:
        if isinstance(value, Mapping):
            yield {**outer, **value}
        elif isinstance(value, (list, tuple)) and path != WHOLE:
            for item in value:
                yield {**outer, **item} if isinstance(item, Mapping) else item
        else:
            yield RowError("wrong_type", f"`rows: {path}`: there is {_kind(value)}, not a row or a list of rows")
        return
    part, rest = parts[0], parts[1:]
    if part == "*":
        if isinstance(value, Mapping):
            for key, item in value.items():
                yield from _walk(item, rest, {**outer, KEY: key}, path)
        elif isinstance(value, (list, tuple)):
            for item in value:
                yield from _walk(item, rest, outer, path)
        else:
            yield RowError("wrong_type", f"`rows: {path}`: there is {_kind(value)}, not a list or an object")
    elif isinstance(value, Mapping) and part in value:
        yield from _walk(value[part], rest, {**outer, **_handed_down(value, part)}, path)
    else:
        yield RowError("wrong_type", f"`rows: {path}`: there is no {part!r}")


def _handed_down(value: Mapping[str, Any], part: str) -> dict[str, Any]:
    """What inner rows get of an outer one: its plain values and short lists of them, such as the picture's name."""
    return {key: item for key, item in value.items() if key != part and _is_plain(item)}


def _is_plain(item: Any) -> bool:
    if isinstance(item, (list, tuple)):
        return len(item) <= _MAX_HANDED_DOWN and all(isinstance(each, (str, int, float, bool)) for each in item)
    return item is None or isinstance(item, (str, int, float, bool, bytes)) or _is_picture(item)


def _is_picture(item: Any) -> bool:
    return isinstance(item, Mapping) and "bytes" in item


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "text", type(None): "nothing"}.get(type(value), "a single value")


def _mend(content: Any) -> str:
    """What to write, given what the value holds."""
    if isinstance(content, list):
        return "; remove `rows`"
    if not isinstance(content, Mapping) or not content:
        return "; write one, or an object with the list as `data`"
    lists = [key for key, value in content.items() if isinstance(value, list) and value and isinstance(value[0], dict)]
    if lists:
        return f": name one of its lists, `rows: {' | '.join(map(str, lists[:4]))}`"
    if all(isinstance(value, Mapping) for value in content.values()):
        return "; if every value of its object is a row, set `rows: '*'`"
    names = json.dumps([str(key) for key in content][:8], ensure_ascii=False)
    return f", but one object with {names}; if it is one row, set `rows: .`"
