"""Where in the values of a file its rows are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pipeline.config import SourceConfig
from pipeline.errors import UserError
from stages.load.add.guesses import ANSWERS, OPTIONS, guess
from stages.load.add.survey import survey
from stages.load.sources.data_files import find_data_files
from stages.load.sources.files import FORMATS
from stages.load.sources.nesting import WHOLE
from stages.load.sources.readers import open_rows

NO_ROWS = "nothing in the file looks like a row with a question or an answer"
PEEK = 20
"""Rows that are read to see what a file holds."""


@dataclass
class Documents:
    values: list[Any]
    whole: bool
    """Whether a value is a whole file."""


def documents(entry: Mapping[str, Any]) -> Documents:
    """The first values of the files: of JSON the whole one, of other formats some rows."""
    files = find_data_files(entry["path"], entry.get("members"), str(entry["path"]), FORMATS)
    file = files[0]
    if file.suffix == ".json":
        try:
            with file.open() as stream:
                return Documents([json.loads(stream.read().decode("utf-8-sig"))], whole=True)
        except ValueError:
            pass  # JSON lines, or what the reader will refuse
    if file.suffix not in FORMATS:
        raise UserError(f"{entry['path']}: unknown file type {file.suffix!r}; use one of {', '.join(FORMATS)}")
    source = SourceConfig(name="peek", limit=None, **entry)
    return Documents([row for _, row in islice(open_rows(source), PEEK) if isinstance(row, Mapping)], whole=False)


def rows_place(content: Any) -> str | None:
    """Where the rows are, None for a list of them; as `SourceConfig.rows`.

    Raises:
        UserError: nothing in the value looks like a row.
    """
    scored: list[tuple[int, tuple[str, ...]]] = []
    for place, items in _places(content, ()):
        found = guess(survey(items))
        scored.append((4 * bool(found.question) + 2 * bool(found.answer) + bool(found.image), place))
    most = max((score for score, _ in scored), default=0)
    if most == 0:
        raise UserError(f"{NO_ROWS}: name the place as rows=…")
    best, *others = [place for score, place in scored if score == most]
    # Splits of one benchmark beside each other: to take the first would leave out the others.
    if apart := [".".join(place) for place in others if best and place[: len(best)] != best and place != (WHOLE,)]:
        raise UserError(f"rows at {', '.join(['.'.join(best), *apart][:6])}: name one as rows=…, or rows='*' for all")
    return ".".join(best) if best else None


def inner_place(rows: Sequence[Mapping[str, Any]]) -> str | None:
    """Where in a row the rows are, if it has no question itself."""
    if not rows or guess(survey(rows)).question:
        return None
    places = [(place, items) for place, items in _places(rows[0], ()) if place != (WHOLE,)]
    return next((".".join(place) for place, items in places if guess(survey(items)).question), None)


def _places(
    value: Any, place: tuple[str, ...], depth: int = 0
) -> Iterator[tuple[tuple[str, ...], list[Mapping[str, Any]]]]:
    """Where rows could be, the outer ones first, each with some of them."""
    if depth > 3:
        return
    if isinstance(value, list):
        items = [item for item in value[:PEEK] if isinstance(item, Mapping)]
        if items and not _is_conversation(items):
            yield place, items
            for key in items[0]:
                if key.lower() not in (*OPTIONS, *ANSWERS) and isinstance(items[0][key], list):
                    yield from _places(items[0][key], (*place, "*", key), depth + 1)
    elif isinstance(value, Mapping):
        values = list(islice(value.values(), PEEK))
        if values and all(isinstance(item, Mapping) for item in values):
            yield (*place, "*"), values
            for key in values[0]:
                if isinstance(values[0][key], list) and key.lower() not in (*OPTIONS, *ANSWERS):
                    yield from _places(values[0][key], (*place, "*", key), depth + 1)
        for key, item in islice(value.items(), PEEK):
            if isinstance(item, (list, Mapping)) and str(key).lower() not in OPTIONS:
                yield from _places(item, (*place, str(key)), depth + 1)
        if not place:
            yield (WHOLE,), [value]


def _is_conversation(items: Sequence[Mapping[str, Any]]) -> bool:
    return all({"role", "from", "speaker", "type"} & set(item) for item in items)
