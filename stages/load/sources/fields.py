"""One row of a source, as a Problem: pure but for the images, which it reads through the root it is given."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from string import ascii_uppercase
from typing import Any

from pipeline.config import SourceConfig
from pipeline.errors import RowError
from pipeline.records import IMAGE, Image, Problem
from stages.load.sources.images import read_images
from stages.load.sources.roots import ImageRoot
from stages.verify.modes import MODES

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


def parse_row(row: Any, name: str, source: SourceConfig, root: ImageRoot | None, prompt: str) -> Problem:
    """The problem that a row describes; `row` is what a reader gave, `name` what `row_id` did.

    Raises:
        RowError: with the reason why it can't be used.
    """
    if isinstance(row, RowError):
        raise row
    if not isinstance(row, Mapping):
        raise RowError("wrong_type", f"the row is {type(row).__name__}, not an object")
    fields = source.fields
    question = read_question(row, source)
    options = read_options(row.get(fields.options))
    for text in (question.replace(IMAGE, ""), *options):
        if found := _RESERVED.search(text):
            raise RowError("reserved_token", f"{found[0]!r} is a control token of some models")
    verify = _verify(structured(row.get(VERIFY))) or source.verify
    answer = _answer(row.get(fields.answer), verify)
    images = tuple(map(Image.of, read_row_images(row, source, root)))
    placeholders = question.count(IMAGE)
    if placeholders not in (0, len(images)):
        detail = f"the question has {placeholders} {IMAGE}, the row has {len(images)} images"
        raise RowError("image_placeholder_mismatch", detail)
    name_of_source = _source(row, source)
    used = {fields.source, fields.id, fields.question, fields.answer, fields.image, fields.options, VERIFY}
    return Problem(
        problem_id=Problem.make_id(name_of_source, question, answer, [image.sha256 for image in images], options),
        source=name_of_source,
        row_id=name,
        question=question,
        answer=answer,
        images=images,
        options=options,
        verify=verify,
        max_tiles=source.max_tiles,
        prompt=prompt,
        extra=_extra({key: value for key, value in row.items() if key not in used}),
    )


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
    return read_images(structured(row.get(source.fields.image)), root)


def _source(row: Mapping[str, Any], source: SourceConfig) -> str:
    refined = row.get(source.fields.source) if source.fields.source else None
    return source.name if _absent(refined) else _text("source", refined)


def _question(value: Any) -> str:
    if _absent(value):
        raise RowError("missing_question", "the row has no question")
    question = _text("question", value)
    if not question.replace(IMAGE, "").strip():
        raise RowError("empty_question", "there is no text in the question")
    return question


def _answer(value: Any, verify: tuple[str, ...]) -> str:
    if _absent(value):
        raise RowError("missing_answer", "the row has no answer")
    if isinstance(value, (list, tuple)):
        # Without the mode, `[a, b]` could be two spellings of one answer, and no response would match both.
        if value and "list" not in verify:
            raise RowError("wrong_type", "the answer is a list, which needs the verification mode `list`")
        answer = f"[{', '.join(_scalar('answer', item) for item in value)}]" if value else ""
    else:
        answer = _scalar("answer", value)
    if not answer:
        raise RowError("empty_answer", "there is no text in the answer")
    return answer


def read_options(value: Any) -> tuple[str, ...]:
    """A list of texts, A first, or an object with a text for each letter; maybe as JSON.

    Raises:
        RowError: it is something else, or holds more texts than there are letters.
    """
    value = structured(value)
    if _absent(value) or value == "":
        return ()
    if isinstance(value, Mapping):
        # Tables give every row all letters, the unused ones empty.
        value = {key: text for key, text in value.items() if text is not None}
        if sorted(map(str, value)) != list(ascii_uppercase[: len(value)]):
            raise RowError("wrong_type", f"options are named {', '.join(map(str, value))}, not A, B, C, …")
        value = [value[letter] for letter in sorted(value)]
    if not isinstance(value, (list, tuple)):
        raise RowError("wrong_type", f"options is {type(value).__name__}, not a list or an object of letters")
    if len(value) > len(ascii_uppercase):
        raise RowError("too_many_options", f"there are {len(value)} options, and letters for {len(ascii_uppercase)}")
    return tuple(_scalar("options", option) for option in value)


def _verify(value: Any) -> tuple[str, ...]:
    if _absent(value) or value == "":
        return ()
    if not isinstance(value, (list, tuple)):
        raise RowError("wrong_type", f"verify is {type(value).__name__}, not a list of modes")
    for mode in value:
        if not isinstance(mode, str) or mode not in MODES:
            raise RowError("wrong_type", f"verify names {mode!r}; the modes are {', '.join(MODES)}")
    return tuple(value)


def _scalar(field: str, value: Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return _text(field, value).strip()


def _text(field: str, value: Any) -> str:
    if not isinstance(value, str):
        raise RowError("wrong_type", f"{field} is {type(value).__name__}, not text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise RowError("not_utf8", f"{field} holds half a character (a lone surrogate)") from error
    return value


def _absent(value: Any) -> bool:
    """None, or the NaN that data frames write for it."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def structured(value: Any) -> Any:
    """Text that is a JSON list or object as what it says: a CSV cell can hold nothing else."""
    if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _extra(rest: Mapping[str, Any]) -> str:
    kept = {key: value for key, value in rest.items() if isinstance(key, str) and _is_json(key, value)}
    return json.dumps(kept, ensure_ascii=False, sort_keys=True)


def _is_json(key: str, value: Any) -> bool:
    try:
        json.dumps({key: value}, ensure_ascii=False, allow_nan=False, sort_keys=True).encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return True
