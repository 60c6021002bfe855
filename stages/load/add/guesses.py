"""Which columns of a source are the question, the answer, the options and the images: by their names and their values.

A guess is never silent: it comes with the share of rows that it fits and with what else could be meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from string import ascii_lowercase

from stages.load.add.survey import Column, each, is_empty, is_lettered, is_picture, names_picture
from stages.load.sources.turns import is_parts

QUESTIONS = (
    "question", "questiontext", "query", "problem", "problemtext", "prompt", "instruction", "input", "userquestion", "q",
    "inputtext", "instructions", "stem", "text", "task", "problemstatement", "ask",
)  # fmt: skip
ANSWERS = (
    "answer", "finalanswer", "correctanswer", "correctchoice", "correctoption", "correctchoiceidx", "correctindex", "correctidx",
    "multiplechoiceanswer", "answeridx", "answerindex", "answerkey", "answerlabel", "goldanswer", "gold", "groundtruth", "gt",
    "gtanswer", "label", "target", "answers", "directanswers", "correct", "solution", "response", "output", "reference",
    "references", "answertext", "expectedanswer", "ans", "a", "cls",
)  # fmt: skip
OPTIONS = (
    "options", "choices", "candidates", "option", "choice", "multiplechoices", "answeroptions", "answerchoices", "choicelist",
    "optionlist", "opt", "op", "alternatives", "mcoptions", "choicestext", "optionstext", "endings",
)  # fmt: skip
IMAGES = (
    "image", "images", "img", "imgs", "imagepath", "imagepaths", "imgpath", "imagefile", "imagename", "filename", "picture",
    "pictures", "imageid", "imgid", "figure", "diagram", "imageurl", "photo", "imagefilename", "figurepath", "path", "png", "jpg",
    "jpeg", "webp",
)  # fmt: skip
HINTS = ("hint", "context", "passage", "background")
IDS = (
    "id", "questionid", "qid", "pid", "index", "uid", "sampleid", "problemid", "key", "uniqueid", "exampleid", "idx", "name",
)  # fmt: skip
ASKING = ("human", "user")
ANSWERING = ("gpt", "assistant", "model")
_SERIES = re.compile(r"(?P<stem>.*?)[_ .-]?(?P<end>[A-Za-z]|\d{1,2})(?P<ending>\.(?:png|jpe?g|webp|gif|bmp|tiff?))?$")


@dataclass
class Guess:
    """The fields of an entry, as far as they were found."""

    question: list[str] = field(default_factory=list)
    answer: str | None = None
    options: list[str] = field(default_factory=list)
    image: list[str] = field(default_factory=list)
    id: str | None = None
    others: dict[str, list[str]] = field(default_factory=dict)
    """For a field, the other columns that could be meant."""


def guess(columns: Sequence[Column]) -> Guess:
    """The columns that the fields mean."""
    found = Guess()
    found.image = _image(columns, found)
    free = [column for column in columns if column.place not in found.image]
    found.options = _options(free)
    free = [column for column in free if column.place not in found.options]
    question = _best(free, QUESTIONS, _is_text, ASKING, found, "question")
    if question is None:
        question = max((column for column in free if column.part(_asks) > 0.5), key=_length, default=None)
    if question is not None:
        hints = [column.place for column in free if column.name in HINTS and column.part(_is_text) == 1]
        found.question = [*hints, question.place]
    free = [column for column in free if column.place not in found.question]
    answer = _best(free, ANSWERS, _is_answer, ANSWERING, found, "answer")
    found.answer = answer.place if answer else None
    ids = [column for column in free if column.name in IDS and column.share == 1 and column.distinct == 1]
    ids = [column for column in ids if column is not answer and column.part(_is_name) == 1]
    found.id = min(ids, key=lambda column: (column.place.count("."), IDS.index(column.name)), default=None)  # type: ignore[assignment]
    found.id = getattr(found.id, "place", None)
    return found


def _best(
    columns: Sequence[Column],
    names: Sequence[str],
    fits: Callable[[object], bool],
    speakers: Sequence[str],
    found: Guess,
    field_name: str,
) -> Column | None:
    """The column whose name comes first among those that mostly hold what fits; notes the others."""
    ranked: list[tuple[tuple[bool, bool, int, int], Column]] = []
    for number, column in enumerate(columns):
        # A row's file and key ask and answer nothing.
        if column.part(fits) < 0.5 or column.place.startswith("_"):
            continue
        spoken = any(f"={speaker}." in column.place for speaker in speakers)
        if column.name in names or spoken:
            rank = 0 if spoken else names.index(column.name)
            ranked.append(((column.share < 0.2, ".*." in column.place, rank, number), column))
    ranked.sort(key=lambda pair: pair[0])
    found.others[field_name] = [column.place for _, column in ranked[1:4]]
    return ranked[0][1] if ranked else None


def _options(columns: Sequence[Column]) -> list[str]:
    lists = [
        column for column in columns if column.name in OPTIONS or re.split(r"[.*]+", column.place)[0].lower() in OPTIONS
    ]
    fitting = [
        column for column in lists if column.part(lambda value: _is_options(value) or _is_separated(value)) > 0.5
    ]
    if fitting:
        return [
            max(fitting, key=lambda column: (column.part(_says_more), column.share, column.part(_is_options))).place
        ]
    for series in _series(columns):
        stem = _stem(series[0].place)
        if len(series) > 1 and (stem == "" or stem in OPTIONS) and series[0].share > 0:
            return [column.place for column in series]
    return []


def _image(columns: Sequence[Column], found: Guess) -> list[str]:
    """Pictures themselves first, then names of files, then columns that are called so."""
    for fits in (_holds_pictures, _names_pictures):
        fitting = [column for column in columns if column.part(fits) > 0.3 and not is_parts(column.filled[0])]
        if not fitting:
            continue
        places = [column.place for column in fitting]
        for series in _series(columns):
            if len(series) > 1 and series[0].place in places and _stem(series[0].place) != "":
                return [column.place for column in series]
        # Members of one sample: each has one of the endings.
        if _take_turns(fitting):
            return places
        best = min(fitting, key=lambda column: (_rank(column, IMAGES), -column.share))
        found.others["image"] = [place for place in places if place != best.place]
        return [best.place]
    named = [column for column in columns if column.name in IMAGES and column.part(_is_name) > 0.5]
    return [min(named, key=lambda column: _rank(column, IMAGES)).place] if named else []


def _take_turns(columns: Sequence[Column]) -> bool:
    rows = zip(*(column.values for column in columns), strict=True)
    return len(columns) > 1 and all(sum(not is_empty(value) for value in row) <= 1 for row in rows)


def _rank(column: Column, names: Sequence[str]) -> int:
    return names.index(column.name) if column.name in names else len(names)


def _series(columns: Sequence[Column]) -> Iterator[list[Column]]:
    """Columns that are counted: `image_1`, `image_2`, …; `A`, `B`, …; the numbers may start at 0 or 1."""

    def stem(column: Column) -> str:
        return _stem(column.place)

    counted = [column for column in columns if _SERIES.fullmatch(column.place)]
    for _, group in groupby(sorted(counted, key=stem), key=stem):
        ordered = sorted(group, key=_number)
        numbers = [_number(column) for column in ordered]
        if numbers[0] in (0, 1) and numbers == list(range(numbers[0], numbers[0] + len(numbers))):
            yield ordered


def _stem(place: str) -> str:
    match = _SERIES.fullmatch(place)
    return match["stem"].rstrip("_ .-").lower() + (match["ending"] or "") if match else place.lower()


def _number(column: Column) -> int:
    match = _SERIES.fullmatch(column.place)
    assert match is not None  # the caller asked
    end = match["end"]
    return int(end) if end.isdigit() else ascii_lowercase.index(end.lower())


def _length(column: Column) -> float:
    return sum(len(str(value)) for value in column.filled) / len(column.filled)


def _is_text(value: object) -> bool:
    return (isinstance(value, str) and not names_picture(value) and not is_picture(value)) or is_parts(value)


def _asks(value: object) -> bool:
    return isinstance(value, str) and ("?" in value or "？" in value)


def _is_name(value: object) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool) and len(str(value)) < 500


def _is_answer(value: object) -> bool:
    if is_parts(value):
        return True
    if isinstance(value, (list, tuple)):
        return all(isinstance(item, (str, int, float)) for item in value)
    return isinstance(value, (str, int, float)) and not names_picture(value) and not is_picture(value)


def _is_options(value: object) -> bool:
    if not isinstance(value, (list, tuple)):
        return is_lettered(value)
    return all(isinstance(item, (str, int, float)) or is_picture(item) for item in value)


def _says_more(value: object) -> bool:
    """Whether a value is more than the options' letters or numbers."""
    return not isinstance(value, (list, tuple)) or any(len(str(item)) > 1 for item in value)


def _is_separated(value: object) -> bool:
    return isinstance(value, str) and separator_of([value]) is not None


def separator_of(values: Iterable[object]) -> str | None:
    """What stands between the items of texts that are lists."""
    texts = [value for value in values if isinstance(value, str)]
    return next((mark for mark in ("|", ";", "\n") if texts and all(mark in text for text in texts)), None)


def _holds_pictures(value: object) -> bool:
    return any(is_picture(item) for item in each(value))


def _names_pictures(value: object) -> bool:
    return any(
        names_picture(item) or (isinstance(item, dict) and names_picture(item.get("path"))) for item in each(value)
    )
