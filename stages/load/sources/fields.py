"""One row of a source, as a Problem: pure but for the images, which it reads through the root it is given."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pipeline.config import SourceConfig
from pipeline.errors import RowError
from pipeline.records import IMAGE, Image, Problem
from stages.load.sources.answers import NO_RULES, Given, GoldRules, read_answer, settle
from stages.load.sources.images import read_images
from stages.load.sources.options import Options, check_shown, place_images, read_options
from stages.load.sources.roots import ImageRoot
from stages.load.sources.values import absent, structured
from stages.load.sources.values import text as _text
from stages.verify.modes import MODES
from stages.verify.options import lettered

VERIFY = "verify"

# A tokenizer turns these texts into control tokens: an image that isn't there, or the end of the user's turn.
# Longer names than one letter, because `<|x|>` is mathematics.
_RESERVED = re.compile(
    r"<[|｜][\w▁./-]{2,}[|｜]>"
    r"|</?(?:IMG_CONTEXT|image|img|quad|ref|box|s|bos|eos|pad|unk|video|audio)>"
    r"|<(?:start|end)_of_(?:turn|image)>|<image_soft_token>|\[/?INST\]|<<SYS>>"
)


def row_id(row: Any, number: int, source: SourceConfig) -> str:
    """The source's own name for a row, or `row <number>`."""
    value = row.get(source.fields.id) if isinstance(row, Mapping) else None
    if isinstance(value, (str, int)) and not isinstance(value, bool) and str(value).strip():
        # Names only serve to find the row, so one with half a character is mended.
        return str(value).encode(errors="replace").decode()
    return f"row {number}"


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
        if found := _RESERVED.search(text.replace(IMAGE, "")):
            raise RowError("reserved_token", f"{found[0]!r} is a control token of some models")
    held = tuple(map(Image.of, images))
    name_of_source = _source(row, source)
    hashes = [image.sha256 for image in held]
    return Problem(
        problem_id=Problem.make_id(name_of_source, question, answer, hashes, texts, references),
        source=name_of_source,
        row_id=name,
        question=question,
        answer=answer,
        images=held,
        options=lettered(texts, question) if texts else (),
        verify=verify,
        max_tiles=source.max_tiles,
        prompt=prompt,
        extra=_extra(rest),
        references=references,
    )


def row_answer(row: Mapping[str, Any], source: SourceConfig) -> Given:
    """See `read_answer`."""
    return read_answer(row.get(source.fields.answer), source)


def row_options(row: Mapping[str, Any], source: SourceConfig) -> Options:
    """See `read_options`."""
    return Options() if source.fields.options is None else read_options(row.get(source.fields.options))


def row_images(row: Mapping[str, Any], source: SourceConfig) -> Any:
    """The row's image, list of images or None: not opened yet, and without those of its options."""
    return structured(row.get(source.fields.image))


def _images(
    row: Mapping[str, Any], options: Options, source: SourceConfig, root: ImageRoot | None
) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """The row's own images, and those of its options, which may be all there are."""
    pictures = tuple(data for _, picture in options.pictures for data in read_images(picture, root))
    if pictures and row_images(row, source) in (None, "", []):
        return (), pictures
    return read_row_images(row, source, root), pictures


def _unused(row: Mapping[str, Any], source: SourceConfig) -> dict[str, Any]:
    """What no setting names."""
    fields = source.fields
    used = {fields.source, fields.id, fields.question, fields.answer, fields.image, fields.options, VERIFY}
    return {key: value for key, value in row.items() if key not in used}


def read_question(row: Mapping[str, Any], source: SourceConfig) -> str:
    """The question without the source's own `cut_endings`.

    Raises:
        RowError: there is none.
    """
    question = _question(row.get(source.fields.question))
    for ending in source.cut_endings:
        if question.rstrip().endswith(ending):
            question = _question(question.rstrip().removesuffix(ending).rstrip())
    return question


def read_row_images(row: Mapping[str, Any], source: SourceConfig, root: ImageRoot | None) -> tuple[bytes, ...]:
    """See `read_images`."""
    return read_images(row_images(row, source), root)


def _source(row: Mapping[str, Any], source: SourceConfig) -> str:
    refined = row.get(source.fields.source) if source.fields.source else None
    return source.name if absent(refined) else _text("source", refined)


def _question(value: Any) -> str:
    if absent(value):
        raise RowError("missing_question", "the row has no question")
    question = _text("question", value)
    if not question.replace(IMAGE, "").strip():
        raise RowError("empty_question", "there is no text in the question")
    return question


def _verify(value: Any) -> tuple[str, ...]:
    if absent(value) or value == "":
        return ()
    if not isinstance(value, (list, tuple)):
        raise RowError("wrong_type", f"verify is {type(value).__name__}, not a list of modes")
    for mode in value:
        if not isinstance(mode, str) or mode not in MODES:
            raise RowError("wrong_type", f"verify names {mode!r}; the modes are {', '.join(MODES)}")
    return tuple(value)


def _extra(rest: Mapping[str, Any]) -> str:
    kept = {key: value for key, value in rest.items() if isinstance(key, str) and _is_json(key, value)}
    return json.dumps(kept, ensure_ascii=False, sort_keys=True)


def _is_json(key: str, value: Any) -> bool:
    try:
        json.dumps({key: value}, ensure_ascii=False, allow_nan=False, sort_keys=True).encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return True
