"""What a released record says that our columns don't: kept as JSON in `extra`, put back on export.

A record is rendered from its columns at once, and only what differs is kept: whatever a record holds, writing
it again gives the same keys in the same order with the same values.
"""

from __future__ import annotations

import json
import marshal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_JSON = json.JSONEncoder(ensure_ascii=False)
_PLAIN = 2
"""The last version of `marshal` whose bytes follow from the value alone, not from what refers to its parts."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a row comes from and how its record differs from what its columns give.

    `format` is `raw` or `conversations`, `file` the annotation file's path in its corpus, `row` its line from 1.
    `image` is the record's own value: a path, a list of paths, or null. `keys` are the record's keys in order,
    `fields` those of its values that the columns don't give. `system` is the system turn of a conversation.
    """

    format: str
    file: str
    row: int
    image: Any
    keys: tuple[str, ...]
    fields: Mapping[str, Any]
    system: str | None = None

    def text(self) -> str:
        # Not `asdict`, which copies every value in depth.
        return _JSON.encode({name: getattr(self, name) for name in self.__slots__})


def keep(
    format: str, file: str, row: int, record: Mapping[str, Any], rendered: Mapping[str, Any], system: str | None = None
) -> Kept:
    """The difference between a record and what `rendered` would write for it."""
    fields = {key: value for key, value in record.items() if key not in rendered or not _same(value, rendered[key])}
    return Kept(format, file, row, record.get("image"), tuple(record), fields, system)


def restore(rendered: Mapping[str, Any], kept: Kept) -> dict[str, Any]:
    """The record as it was."""
    return {key: kept.fields[key] if key in kept.fields else rendered[key] for key in kept.keys}


def kept_of(row: Mapping[str, Any]) -> Kept | None:
    """What a published row keeps of its origin; null for a row that was made here."""
    text = row.get("extra")
    if not text:
        return None
    content = json.loads(text)
    return Kept(**{**content, "keys": tuple(content["keys"])})


def _same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON.

    To Python 1, 1.0 and true are equal, and so are objects whose keys are in another order.
    """
    # Most of what is rendered is what was read. Python's own notation, without references, tells all kinds apart.
    if one is other or marshal.dumps(one, _PLAIN) == marshal.dumps(other, _PLAIN):
        return True
    return _alike(one, other)


def _alike(one: Any, other: Any) -> bool:
    """`_same`, part by part, where a tuple may stand for a list."""
    kind = type(one)
    if kind is not type(other):
        # A tuple and a list are one array.
        return isinstance(one, list | tuple) and isinstance(other, list | tuple) and _alike(list(one), list(other))
    if kind is dict:
        return list(one) == list(other) and all(map(_alike, one.values(), other.values()))
    if kind in (list, tuple):
        return len(one) == len(other) and all(map(_alike, one, other))
    # NaN, and a zero with its sign.
    return repr(one) == repr(other) if kind is float else bool(one == other)
