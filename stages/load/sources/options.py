"""The options of a row: each is a text, a picture or nothing, and has its letter by its place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any, TypeVar

from pipeline.errors import RowError
from pipeline.records import IMAGE, asked
from stages.load.sources.images import is_image
from stages.load.sources.literals import structured
from stages.load.sources.values import absent, scalar

Picture = TypeVar("Picture")
_IMAGE_FILE = re.compile(r"[^\s|]{1,300}\.(?:png|jpe?g|webp|gif|bmp|tiff?)", re.IGNORECASE)
_UNUSUAL_NAMES = frozenset({"options", "choices", "option", "candidates", "answer_choices", "multiple_choices"})
"""Columns that hold options in files where they are not called `options`."""


@dataclass(frozen=True, slots=True)
class Options:
    """`texts` are as in `Problem.options`. An option that is itself an image has it in `pictures`, under its index."""

    texts: tuple[str, ...] = ()
    pictures: tuple[tuple[int, Any], ...] = ()


def read_options(value: Any) -> Options:
    """A list of options, A first, or an object with one for each letter; maybe as JSON.

    An option is a text, in which `<image>` stands for one of the row's images, or an image: its bytes, an object with
    `bytes` or `path`, base64 text, or the name of an image file.

    Raises:
        RowError: it is something else, or holds more options than there are letters.
    """
    value = structured(value)
    if absent(value) or value == "":
        return Options()
    if isinstance(value, Mapping):
        # Tables give every row all letters, the unused ones empty.
        value = {key: text for key, text in value.items() if not absent(text)}
        if sorted(map(str, value)) != list(ascii_uppercase[: len(value)]):
            raise RowError("wrong_type", f"options are named {', '.join(map(str, value))}, not A, B, C, …")
        value = [value[letter] for letter in sorted(value)]
    if not isinstance(value, (list, tuple)):
        raise RowError("wrong_type", f"options is {type(value).__name__}, not a list or an object of letters")
    if len(value) > len(ascii_uppercase):
        raise RowError("too_many_options", f"there are {len(value)} options, and letters for {len(ascii_uppercase)}")
    pictures = tuple((index, option) for index, option in enumerate(value) if _is_picture(option))
    shown = {index for index, _ in pictures}
    texts = (IMAGE if index in shown else scalar("options", option) for index, option in enumerate(value))
    return Options(tuple(texts), pictures)


def _is_picture(option: Any) -> bool:
    if isinstance(option, Mapping):
        return "bytes" in option or "path" in option
    return is_image(option) or (isinstance(option, str) and _IMAGE_FILE.fullmatch(option) is not None)


def check_shown(question: str, options: Options, rest: Mapping[str, Any]) -> None:
    """The policy must see the options that a row has, whatever its columns are called; `rest` is what no setting names.

    Raises:
        RowError: they stand in a column that `fields.options` does not name, and not in the question.
    """
    if options.texts:
        return
    for key, value in rest.items():
        if (
            key.lower() in _UNUSUAL_NAMES
            and (found := _listed(structured(value)))
            and asked(question, found) != question
        ):
            raise RowError(
                "options_not_shown",
                f"{key!r} holds {len(found)} options that the question does not list: set `fields: {{options: {key}}}`, "
                "or `fields: {options: null}` if the policy is to see none",
            )
    if all(isinstance(rest.get(key), str) and rest[key].strip() for key in "AB"):
        columns = [key for key in ascii_uppercase if isinstance(rest.get(key), str) and rest[key].strip()]
        if asked(question, [rest[key].strip() for key in columns]) != question:
            raise RowError(
                "options_not_shown",
                f"the columns {', '.join(columns)} hold options that the question does not list: set "
                f"`fields: {{options: [{', '.join(columns)}]}}`, or `fields: {{options: null}}` if the policy is to see none",
            )


def _listed(value: Any) -> tuple[str, ...]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if not isinstance(value, (list, tuple)) or len(value) < 2:
        return ()
    try:
        return tuple(scalar("options", option) for option in value)
    except RowError:
        return ()


_NUMBERED = re.compile(r"<image[\s_]?(\d{1,2})>", re.IGNORECASE)


def place_images(
    question: str, options: Options, own: Sequence[Picture], pictures: Sequence[Picture]
) -> tuple[str, tuple[str, ...], tuple[Picture, ...]]:
    """The question, the options' texts and the images, one for each `<image>` in them, in the order they are shown.

    `<image 2>`, `<image_2>` and `<image2>` are the second of the row's `own` images. Images that the question does not
    place come before it. `pictures` are those of `options.pictures`.

    Raises:
        RowError: images and placeholders don't match.
    """
    numbered = any(_NUMBERED.search(text) for text in (question, *options.texts))
    plain, texts = _NUMBERED.sub(IMAGE, question), tuple(_NUMBERED.sub(IMAGE, text) for text in options.texts)
    listed = asked(plain, texts) == plain
    if numbered:
        held = {index for index, _ in options.pictures}
        left = [] if listed else [text for index, text in enumerate(options.texts) if index not in held]
        own, question = _in_order([question, *left], own), plain
    in_question = question.count(IMAGE)
    in_options = 0 if listed else sum(text.count(IMAGE) for text in texts)
    if not in_question + in_options:
        return question, texts, (*own, *pictures)
    first = len(own) + len(pictures) - in_question - in_options
    if first < 0 or (first and in_question):
        raise RowError("image_placeholder_mismatch", _mismatch(in_question, in_options, len(own) + len(pictures)))
    if listed or not in_options:
        return question, texts, (*own, *pictures)
    shown = list(own[: first + in_question])
    rest = iter(own[first + in_question :])
    given = {index: picture for (index, _), picture in zip(options.pictures, pictures, strict=True)}
    for index, text in enumerate(texts):
        shown += [given[index]] if index in given else [next(rest) for _ in range(text.count(IMAGE))]
    # What would stand first without any placeholder must be given one now that the options have some.
    return f"{IMAGE}\n" * first + question, texts, tuple(shown)


def _in_order(texts: Sequence[str], own: Sequence[Picture]) -> list[Picture]:
    """The row's images as often and in the order that the texts name them by number."""
    if any(IMAGE in text for text in texts):
        raise RowError("image_placeholder_mismatch", f"some placeholders are numbered and some are {IMAGE}")
    named = [match for text in texts for match in _NUMBERED.finditer(text)]
    numbers = [int(match[1]) for match in named]
    for match, number in zip(named, numbers, strict=True):
        if not 1 <= number <= len(own):
            raise RowError("unknown_image", f"{match[0]} names no image: the row has {len(own)}")
    if unnamed := set(range(1, len(own) + 1)) - set(numbers):
        raise RowError("image_placeholder_mismatch", f"image {min(unnamed)} of {len(own)} is named nowhere")
    return [own[number - 1] for number in numbers]


def _mismatch(in_question: int, in_options: int, images: int) -> str:
    where = f"the question has {in_question} {IMAGE}"
    where += f" and the options have {in_options}" if in_options else ""
    return f"{where}, the row has {images} images"
