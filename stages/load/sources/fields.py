"""One row of a source, as a Problem: pure but for the images, which it reads through the root it is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pipeline.errors import RowError
from pipeline.records import IMAGE, Image, Problem
from pipeline.source_config import Place, SourceConfig
from stages.load.control_tokens import refuse_control_tokens
from stages.load.sources.answers import NO_RULES, Given, GoldRules, proper, read_answer, settle
from stages.load.sources.images import read_hashed, read_images
from stages.load.sources.literals import structured
from stages.load.sources.nesting import KEY
from stages.load.sources.options import Options, check_shown, place_images, read_options
from stages.load.sources.places import columns_of, look, look_all
from stages.load.sources.roots import ImageRoot
from stages.load.sources.turns import is_parts, pictures_of, text_of
from stages.load.sources.values import absent, as_json, truth_value
from stages.load.sources.values import text as _text
from stages.verify.modes import MODES
from stages.verify.options import lettered

VERIFY = "verify"
_MAX_NAMES = 12


def row_id(row: Any, number: int | str, source: SourceConfig) -> str:
    """The source's own name for a row, or its key, or `row <number>`."""
    for place in (source.fields.id, KEY):
        value = _name(row, place) if isinstance(row, Mapping) else None
        if isinstance(value, (str, int)) and not isinstance(value, bool) and str(value).strip():
            # Names only serve to find the row, so one with half a character is mended.
            return str(value).encode(errors="replace").decode()
    return f"row {number}"


def _name(row: Mapping[str, Any], place: str) -> Any:
    try:
        return look(row, place)
    except RowError:
        return None  # the number will do


def parse_row(
    row: Any,
    name: str,
    source: SourceConfig,
    root: ImageRoot | None,
    prompt: str,
    rules: GoldRules = NO_RULES,
) -> Problem:
    """The problem that a row describes; `row` is what a reader gave, `name` what `row_id` did.

    Raises:
        RowError: with the reason why it can't be used.
    """
    if isinstance(row, RowError):
        raise row
    if not isinstance(row, Mapping):
        raise RowError("wrong_type", f"the row is {type(row).__name__}, not an object")
    question, options, rest = read_question(row, source), row_options(row, source), _unused(row, source)
    verify = _verify(structured(row.get(VERIFY))) or source.verify
    if source.fields.options is not None:
        check_shown(question, options, rest)
    if source.references == "all" and "anls" in verify:
        raise RowError("wrong_type", "the row's mode `anls` takes any item of a list, `references: all` needs all")
    if "choice" not in verify:
        rules = replace(rules, demand_options=False)
    answer, references = settle(row_answer(row, source), options.texts, question, source, rules)
    question, texts, images = place_images(question, options, *_images(row, options, source, root))
    for text in (question, *texts):
        refuse_control_tokens(text.replace(IMAGE, ""))
    name_of_source = _source(row, source)
    hashes = [image.sha256 for image in images]
    return Problem(
        problem_id=Problem.make_id(name_of_source, question, answer, hashes, texts, references),
        source=name_of_source,
        row_id=name,
        question=question,
        answer=answer,
        images=images,
        options=lettered(texts, question) if texts else (),
        verify=verify,
        max_tiles=source.max_tiles,
        prompt=prompt,
        extra=as_json(rest),
        references=references,
        max_pixels=source.max_pixels,
    )


def row_answer(row: Mapping[str, Any], source: SourceConfig) -> Given:
    """See `read_answer`."""
    value = text_of(look(row, source.fields.answer))
    if absent(value):
        raise RowError("missing_answer", _missing("answer", row, source.fields.answer))
    if source.answer_pattern is not None:
        value = proper(value, source.answer_pattern)
    if source.booleans is not None and isinstance(value, str):
        value = value if (truth := truth_value(value)) is None else truth
    if isinstance(value, bool):
        if source.booleans is None:
            raise RowError("wrong_type", f'the answer is {value}: say what that means with `booleans: ["Yes", "No"]`')
        value = source.booleans[0 if value else 1]
    return read_answer(value, source)


def row_options(row: Mapping[str, Any], source: SourceConfig) -> Options:
    """See `read_options`."""
    place = source.fields.options
    if place is None:
        return Options()
    if isinstance(place, str):
        return read_options(_list_of_text(structured(look(row, place)), source))
    values = look_all(row, place)
    # Tables give every row all columns, the unused ones empty.
    while values and _empty(values[-1]):
        values.pop()
    if gaps := [name for name, value in zip(place, values, strict=False) if _empty(value)]:
        raise RowError("wrong_type", f"option {gaps[0]} is empty, but a later one is not")
    return read_options(values)


def row_images(row: Mapping[str, Any], source: SourceConfig) -> Any:
    """The row's image, list of images or None: not opened yet, and without those of its options."""
    place = source.fields.image
    if isinstance(place, str):
        found = _list_of_text(structured(look(row, place)), source)
    else:
        there = [value for value in map(structured, look_all(row, place)) if not _empty(value)]
        found = [item for value in there for item in (value if isinstance(value, (list, tuple)) else [value])] or None
    if _empty(found):
        of_parts = [picture for value in look_all(row, source.fields.question) for picture in pictures_of(value)]
        return of_parts or found
    return found


def _list_of_text(value: Any, source: SourceConfig) -> Any:
    if source.separator is None or not isinstance(value, str) or source.separator not in value:
        return value
    return [item.strip() for item in value.split(source.separator)]


def _empty(value: Any) -> bool:
    return absent(value) or (isinstance(value, (str, list, tuple)) and len(value) == 0)


def _images(
    row: Mapping[str, Any], options: Options, source: SourceConfig, root: ImageRoot | None
) -> tuple[tuple[Image, ...], tuple[Image, ...]]:
    """The row's own images, and those of its options, which may be all there are."""
    pictures = tuple(image for _, picture in options.pictures for image in read_hashed(picture, root))
    if pictures and row_images(row, source) in (None, "", []):
        return (), pictures
    return read_hashed(row_images(row, source), root), pictures


def _unused(row: Mapping[str, Any], source: SourceConfig) -> dict[str, Any]:
    """What no setting names. A column that holds pictures is used, even if only a place inside it is named."""
    fields = source.fields
    used = {VERIFY, *(place for place in (fields.source, fields.id, fields.answer) if place)}
    for places in (fields.question, fields.options):
        used.update([places] if isinstance(places, str) else places or ())
    used.update(columns_of(fields.image))
    if isinstance(fields.options, str):
        used.add(fields.options.partition(".")[0])
    if any(is_parts(value) for value in look_all(row, fields.question)):
        used.update(columns_of(fields.question))
    return {key: value for key, value in row.items() if key not in used}


def read_question(row: Mapping[str, Any], source: SourceConfig) -> str:
    """The question without the source's own `cut_endings`.

    Raises:
        RowError: there is none.
    """
    question = _question(row, source)
    for ending in source.cut_endings:
        if question.rstrip().endswith(ending):
            question = _with_text(question.rstrip().removesuffix(ending).rstrip())
    return question


def read_row_images(row: Mapping[str, Any], source: SourceConfig, root: ImageRoot | None) -> tuple[bytes, ...]:
    """See `read_images`."""
    return read_images(row_images(row, source), root)


def _source(row: Mapping[str, Any], source: SourceConfig) -> str:
    refined = look(row, source.fields.source) if source.fields.source else None
    return source.name if absent(refined) else _text("source", refined)


def _question(row: Mapping[str, Any], source: SourceConfig) -> str:
    place = source.fields.question
    values = [text_of(value) for value in look_all(row, place)]
    texts = [_text("question", value) for value in values if not absent(value)]
    if not texts:
        raise RowError("missing_question", _missing("question", row, place))
    return _with_text(texts[0] if isinstance(place, str) else "\n".join(filter(None, map(str.strip, texts))))


def _with_text(question: str) -> str:
    if not question.replace(IMAGE, "").strip():
        raise RowError("empty_question", "there is no text in the question")
    return question


def _missing(field: str, row: Mapping[str, Any], place: Place) -> str:
    places = [place] if isinstance(place, str) else place
    if any(each in row for each in places):
        return f"the row has no {field}: {' and '.join(places)} is empty"
    names = [str(key) for key in row]
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return f"the row has no {field}: there is no {' or '.join(places)}; its columns are {', '.join(names[:_MAX_NAMES])}{more}"


def _verify(value: Any) -> tuple[str, ...]:
    if absent(value) or value == "":
        return ()
    if not isinstance(value, (list, tuple)):
        raise RowError("wrong_type", f"verify is {type(value).__name__}, not a list of modes")
    for mode in value:
        if not isinstance(mode, str) or mode not in MODES:
            raise RowError("wrong_type", f"verify names {mode!r}; the modes are {', '.join(MODES)}")
    return tuple(value)
