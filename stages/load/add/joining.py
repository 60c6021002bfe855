"""Files, or lists in a file, that belong together by a key."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from pipeline.config import SourceConfig
from pipeline.errors import UserError
from stages.load.add.guesses import Guess, guess
from stages.load.add.layout import Layout
from stages.load.add.rows_inside import PEEK
from stages.load.add.survey import survey
from stages.load.sources.nesting import WHOLE, inner_rows
from stages.load.sources.readers import open_rows


def joined(layouts: Sequence[Layout]) -> Layout:
    """Two files, of which one has the questions and the other what the first lacks.

    Raises:
        UserError: they have no key in common.
    """
    peeks = [_peek(layout) for layout in layouts]
    guesses = [guess(survey(rows)) for rows in peeks]
    asking = [number for number, found in enumerate(guesses) if found.question]
    if len(asking) != 1:
        raise UserError("both files have questions: name one" if asking else "neither file has questions: name another")
    first = asking[0]
    layout, other = layouts[first], layouts[1 - first]
    if (key := _common_key(peeks[first], peeks[1 - first], guesses[1 - first])) is None:
        raise UserError(
            f"no column of {layout.entry['path']} names the rows of {other.entry['path']}: join them by hand"
        )
    join = {
        "path": other.entry["path"],
        **({"rows": other.entry["rows"]} if "rows" in other.entry else {}),
        "by": _by(key),
    }
    kind = f"{layout.kind}; joined with {Path(other.entry['path']).name} by {key[0]}"
    return Layout(kind, {**layout.entry, "join": {_join_name(other.entry["path"]): join}}, layout.base)


def _peek(layout: Layout) -> list[Mapping[str, Any]]:
    source = SourceConfig(name="peek", **layout.entry)
    return [row for _, row in islice(open_rows(source), 1000) if isinstance(row, Mapping)]


def joined_within(layout: Layout, content: Any) -> Layout:
    """A file that lists its pictures, or its answers, apart from its questions."""
    if not isinstance(content, Mapping) or layout.entry.get("rows") in (WHOLE, "*"):
        return layout
    rows = [row for row in inner_rows(content, layout.entry.get("rows", "data")) if isinstance(row, Mapping)]
    found = guess(survey(rows[:PEEK]))
    for name, value in content.items():
        others = [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
        if (
            str(name) == layout.entry.get("rows", "data").partition(".")[0]
            or not others
            or not _adds(found, guess(survey(others[:PEEK])))
        ):
            continue
        if (key := _common_key(rows, others, guess(survey(others[:PEEK])))) is not None:
            join = {"path": layout.entry["path"], "rows": name, "by": _by(key)}
            layout.entry.setdefault("join", {})[str(name)] = join
            layout.kind += f"; joined with its {name} by {key[0]}"
    return layout


def _adds(found: Guess, other: Guess) -> bool:
    return bool((other.answer and not found.answer) or other.image)


def _common_key(
    rows: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]], found: Guess
) -> tuple[str, str] | None:
    """The columns by which rows name one other row each: of the same name, or `image_id` and `id`.

    Both may fit by chance, as numbers from 1 do: then the one that more rows agree with counts, and of equals
    `image_id` where the others are pictures. Both sides' `id` would give each row some other row's picture.
    """
    fitting: list[tuple[float, bool, tuple[str, str]]] = []
    for other in others[0] if others else ():
        values = {str(row.get(other)) for row in others}
        if len(values) < len(others):
            continue
        for own in rows[0] if rows else ():
            named = other.lower() == "id" and own.lower().endswith("id") and own.lower() != "id"
            share = sum(str(row.get(own)) in values for row in rows) / len(rows)
            if share and (own == other or named):
                fitting.append((share, named == (bool(found.image) and not found.answer), (own, other)))
    return max(fitting, key=lambda each: each[:2])[2] if fitting else None


def _by(key: tuple[str, str]) -> str | dict[str, str]:
    return key[0] if key[0] == key[1] else {key[0]: key[1]}


def _join_name(path: str) -> str:
    return re.sub(r"\W+", "_", Path(path).name.partition(".")[0].replace("*", "")).strip("_") or "other"
