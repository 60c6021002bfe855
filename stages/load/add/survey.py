"""What the rows of a source hold: every place in them, with its values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

from pipeline.errors import RowError
from stages.load.sources.images import is_image
from stages.load.sources.literals import structured
from stages.load.sources.turns import is_parts
from stages.load.sources.values import absent, truth_value

MAX_DEPTH = 4
_ROLE_KEYS = ("role", "from", "speaker")
_PICTURE_NAME = re.compile(r"\.(png|jpe?g|webp|gif|bmp|tiff?)$", re.IGNORECASE)


@dataclass(frozen=True)
class Column:
    """A place in the rows, as `fields` names it, and what each row has there (None where nothing)."""

    place: str
    values: tuple[Any, ...]

    @property
    def filled(self) -> list[Any]:
        return [value for value in self.values if not is_empty(value)]

    @property
    def share(self) -> float:
        """Of the rows, those that have something here."""
        return len(self.filled) / len(self.values) if self.values else 0.0

    @property
    def name(self) -> str:
        """The last part of the place, in small letters and digits: `questionid` of `meta.question_id`."""
        return re.sub(r"[^a-z0-9]", "", re.split(r"[.=]", self.place)[-1].lower())

    def part(self, fits: Callable[[Any], bool]) -> float:
        """Of what is there, the share that fits."""
        return sum(map(fits, self.filled)) / len(self.filled) if self.filled else 0.0

    @property
    def distinct(self) -> float:
        return len({str(value) for value in self.filled}) / len(self.filled) if self.filled else 0.0


def survey(rows: Sequence[Mapping[str, Any]]) -> list[Column]:
    """The columns in the order in which the rows first have them."""
    found: dict[str, list[Any]] = {}
    for number, row in enumerate(rows):
        for place, value in _places(row):
            values = found.setdefault(place, [])
            values += [None] * (number - len(values))
            if len(values) == number:
                values.append(value)
    return [Column(place, (*values, *[None] * (len(rows) - len(values)))) for place, values in found.items()]


def _places(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in row.items():
        yield from _inside(str(key), value, 1)


def _inside(place: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    value = read(value)
    if isinstance(value, Mapping) and depth < MAX_DEPTH and not is_picture(value) and not is_lettered(value):
        for key, item in value.items():
            if "." not in str(key):
                yield from _inside(f"{place}.{key}", item, depth + 1)
    elif _holds_objects(value) and not is_parts(value) and depth < MAX_DEPTH:
        yield from _objects(place, value, depth)
    else:
        yield place, value


def _holds_objects(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(
        isinstance(item, Mapping) and not is_picture(item) for item in value
    )  # fmt: skip


def _objects(place: str, items: Sequence[Mapping[str, Any]], depth: int) -> Iterator[tuple[str, Any]]:
    """Turns of a conversation by their speakers, the first of each; of other objects the lists of their values."""
    role = next((key for key in _ROLE_KEYS if all(isinstance(item.get(key), str) for item in items)), None)
    if role is not None:
        for speaker in dict.fromkeys(item[role] for item in items):
            first = next(item for item in items if item[role] == speaker)
            for key, value in first.items():
                if key != role and "." not in speaker:
                    yield f"{place}.{role}={speaker}.{key}", read(value)
        return
    yield place, list(items)
    for key in items[0]:
        if all(key in item for item in items):
            yield f"{place}.*.{key}", [item[key] for item in items]


def read(value: Any) -> Any:
    """A list or object that is written as text; text with two readings stays text."""
    try:
        return structured(value)
    except RowError:
        return value


def is_empty(value: Any) -> bool:
    return absent(value) or (isinstance(value, (str, list, tuple, Mapping)) and len(value) == 0)


def is_picture(value: Any) -> bool:
    """Whether a value holds a picture itself."""
    if isinstance(value, Mapping):
        return "bytes" in value and set(value) <= {"bytes", "path"}
    return is_image(value)


def names_picture(value: Any) -> bool:
    """Whether a value is the name of a picture's file."""
    return isinstance(value, str) and len(value) < 500 and bool(_PICTURE_NAME.search(value))


def is_lettered(value: Any) -> bool:
    """Whether a value is an object with a text for each letter: A, B, …"""
    return isinstance(value, Mapping) and len(value) > 1 and sorted(value) == list(ascii_uppercase[: len(value)])


def is_truth_value(value: Any) -> bool:
    """Whether a value is true or false, maybe as the text that a table has for it."""
    return isinstance(value, bool) or (isinstance(value, str) and truth_value(value) is not None)


def each(value: Any) -> Iterable[Any]:
    return value if isinstance(value, (list, tuple)) else (value,)
