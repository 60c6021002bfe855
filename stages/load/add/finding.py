"""From a layout to the entry that reads it: every column that it uses, and the share of rows that has it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config import SourceConfig
from pipeline.errors import RowError
from stages.load.add.entry import Decision, Entry
from stages.load.add.guesses import Guess, guess, separator_of
from stages.load.add.layout import Layout
from stages.load.add.mends import as_fields, flow
from stages.load.add.pictures import find_pictures
from stages.load.add.survey import Column, each, is_picture, is_truth_value, read, survey
from stages.load.sources.fields import row_answer, row_id, row_options
from stages.load.sources.places import look
from stages.load.sources.readers import count_rows, open_rows
from stages.verify.golds import READINGS, count_golds

SAMPLE = 200
"""Rows that are looked at, evenly spaced."""
_READING = ("rows", "members", "join", "split", "separator")
_MAX_KEY = 64
_MARKED = (r"<answer>(.*?)</answer>", r"####([^\n]+)", r"\b[Aa]nswer: ([^\n]+)")
_LONG_ANSWER = 80
"""Characters: longer ones may be whole solutions."""


@dataclass(frozen=True)
class _Sample:
    rows: Sequence[Mapping[str, Any]]
    columns: Mapping[str, Column]


def find_entry(layout: Layout, images: str | None, given: Mapping[str, Any], name: str) -> Entry:
    """The entry for a layout; the settings in `given` are taken as they are.

    Raises:
        UserError: the source can't be opened.
    """
    entry = Entry({"name": name, **layout.entry, **{key: given[key] for key in _READING if key in given}})
    source = SourceConfig(**entry.settings)
    rows = [row for _, row in open_rows(source.model_copy(update={"limit": SAMPLE})) if isinstance(row, Mapping)]
    entry.looked_at = len(rows)
    entry.rows = count_rows(source) if source.dataset is None or Path(source.dataset).is_dir() else None
    columns = survey(rows)
    sample = _Sample(rows, {column.place: column for column in columns})
    found = guess(columns)
    for key, value in given.get("fields", {}).items():
        places = [value] if isinstance(value, str) else list(value or ())
        setattr(found, key, places if key in ("question", "options", "image") else value)
    if "image" not in given.get("fields", {}):
        _images(sample, found, images, layout, entry)
    elif images is not None:
        entry.settings["images"] = images
    _fields(sample, found, entry, given)
    _options(sample, found, entry)
    _answers(sample, found, entry)
    entry.settings.update({key: value for key, value in given.items() if key != "fields"})
    if "gold" not in given:
        _gold(sample, entry)
    entry.decisions = [decision for decision in entry.decisions if decision.key not in given]
    return entry


def _images(sample: _Sample, found: Guess, images: str | None, layout: Layout, entry: Entry) -> None:
    apart = {*found.question, *found.options, *([found.answer] if found.answer else [])}
    columns = list(sample.columns.values())
    pictures = find_pictures(sample.rows, columns, found.image, images, layout.base, apart)
    if layout.pictures not in (None, layout.base) and images is None and not pictures.found:
        elsewhere = find_pictures(sample.rows, columns, found.image, str(layout.pictures), None, apart)
        if elsewhere.found:
            pictures, images = elsewhere, str(layout.pictures)
    column = sample.columns.get(found.image[0]) if len(found.image) == 1 else None
    if images is not None:
        entry.settings["images"] = images
    if column is not None and (key := _borrowed(column, columns)) is not None:
        entry.settings["borrow_images"] = key
        entry.remarks["borrow_images"] = f"some rows name another row's {key} in place of a picture"
        return
    entry.remarks["images"] = f"pictures found for {pictures.found:,} of {len(sample.rows):,} rows"
    if pictures.notes and pictures.found < max(pictures.named, 1):
        entry.decisions += [Decision("images", "…", note) for note in pictures.notes]
    elif pictures.notes:
        entry.remarks["images"] += "; " + "; ".join(pictures.notes)
    found.image = pictures.image


def _borrowed(image: Column, columns: Sequence[Column]) -> str | None:
    """The column whose values stand in the place of some rows' pictures."""
    names = {str(value) for value in image.filled if not any(is_picture(item) for item in each(value))}
    if not names or len(names) == len(set(map(str, image.filled))) or any(len(name) > _MAX_KEY for name in names):
        return None
    keys = [column for column in columns if column is not image and column.share == 1 and column.distinct == 1]
    return next((column.place for column in keys if names & {str(value) for value in column.values}), None)


def _fields(sample: _Sample, found: Guess, entry: Entry, given: Mapping[str, Any]) -> None:
    settings = {**as_fields(found), **given.get("fields", {})}
    if settings:
        entry.settings["fields"] = settings
    answer = [found.answer] if found.answer else []
    places = {"question": found.question, "answer": answer, "options": found.options, "image": found.image}
    shares = {
        key: max((sample.columns[place].share for place in named if place in sample.columns), default=None)
        for key, named in places.items()
    }
    parts = [f"{key} in {share:.0%}" for key, share in shares.items() if share is not None]
    others = [f"{key} may also be {' or '.join(named)}" for key, named in found.others.items() if named]
    entry.remarks["fields"] = "; ".join([f"of the rows: {', '.join(parts)}", *others])
    if missing := [key for key in ("question", "answer") if not places[key]]:
        names = ", ".join(list(sample.columns)[:12])
        mapped = flow({**settings, **dict.fromkeys(missing, "…")})
        entry.decisions.append(Decision("fields", mapped, f"no column is called like one; there are {names}"))
    texts = [value for place in answer if place in sample.columns for value in sample.columns[place].filled]
    if texts and (mean := sum(len(str(text)) for text in texts) / len(texts)) > _LONG_ANSWER:
        entry.remarks["fields"] += f"; the answers have {mean:,.0f} characters on average: are they answers alone?"
    if (longer := _longer_conversations(sample.rows, found)) > 0:
        entry.remarks["fields"] += f"; {longer:,} rows have more turns, of which only the first two are used"


def _longer_conversations(rows: Sequence[Mapping[str, Any]], found: Guess) -> int:
    """Rows in which the one who asks speaks more than once."""
    for place in found.question:
        before, equals, after = place.partition("=")
        if equals:
            turns, _, role = before.rpartition(".")
            speaker = after.partition(".")[0]
            return sum(sum(turn.get(role) == speaker for turn in read(look(row, turns)) or ()) > 1 for row in rows)
    return 0


def _options(sample: _Sample, found: Guess, entry: Entry) -> None:
    if len(found.options) != 1 or found.options[0] not in sample.columns:
        return
    texts = [value for value in sample.columns[found.options[0]].filled if isinstance(value, str)]
    # A list that can't be read is no text.
    texts = [text for text in texts if not text.lstrip().startswith(("[", "{"))]
    if (mark := separator_of(texts)) is not None:
        entry.settings["separator"] = mark
        entry.remarks["separator"] = f"{len(texts):,} rows have their options as one text"


def _answers(sample: _Sample, found: Guess, entry: Entry) -> None:
    """What truth values and lists mean can't be seen; it is for a person to say."""
    values = [value for row in sample.rows if (value := _answer(row, found)) is not None]
    if (pattern := _common_pattern(values)) is not None:
        entry.settings["answer_pattern"] = pattern
        entry.remarks["answer_pattern"] = "the answers are texts that end in an answer, which alone is compared"
    if booleans := sum(is_truth_value(value) for value in values):
        entry.decisions.append(
            Decision("booleans", '["Yes", "No"]', f"or what else true and false mean, in {booleans:,} rows")
        )
    several = [value for value in values if isinstance(value, (list, tuple)) and len(set(map(str, value))) > 1]
    if several:
        example = str(list(several[0]))[:80]
        why = f"or all, or {{at_least: 3}}: {len(several):,} rows have several answers, such as {example}"
        entry.decisions.append(Decision("references", "any", why))


def _gold(sample: _Sample, entry: Entry) -> None:
    """What the answers of the rows with options are, if it can be seen."""
    source = SourceConfig(**entry.settings)
    golds = count_golds(_with_options(sample.rows, source))
    if not golds.rows:
        return
    shares = ", ".join(f"{reading} {golds.fits[reading] / golds.rows:.0%}" for reading in READINGS)
    if (reading := golds.reading()) is not None:
        entry.settings["gold"] = reading
        entry.remarks["gold"] = f"of the {golds.rows:,} rows with options fit: {shares}"
    else:
        entry.undecided = golds.complaint()
        fitting = [reading for reading in READINGS if golds.fits[reading] == golds.rows] or list(READINGS)
        entry.decisions.append(Decision("gold", fitting[0], f"or {' or '.join(fitting[1:])}: {shares} of the rows fit"))


def _with_options(
    rows: Sequence[Mapping[str, Any]], source: SourceConfig
) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    for number, row in enumerate(rows, 1):
        # A row that can't be used says nothing; the check will tell.
        with suppress(RowError):
            if options := row_options(row, source).texts:
                yield row_id(row, number, source), row_answer(row, source).golds, options


def _common_pattern(values: Sequence[Any]) -> str | None:
    """How nearly all answers mark the answer proper inside their text."""
    texts = [value for value in values if isinstance(value, str)]
    fits = (pattern for pattern in _MARKED if sum(bool(re.search(pattern, text)) for text in texts) > 0.9 * len(values))
    return next(fits, None) if texts else None


def _answer(row: Mapping[str, Any], found: Guess) -> Any:
    try:
        return look(row, found.answer) if found.answer else None
    except RowError:
        return None
