r"""The forms that mark a final answer beyond doubt: boxes, tags, a JSON key, `####` and `Final answer:`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from stages.verify.notation import group_end
from stages.verify.quantity import read_quantity

MAX_ANSWER = 2_000
"""Characters of an answer that are kept."""
MAX_MATCHES = 200
"""Matches of one form that are tried, from the last one."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """`form` names the rule that found `text`; `complete` is False if a longer response might go on in it.

    `whole` is the sentence of which `text` is the end, where a part was cut away: either can be meant.
    """

    text: str
    form: str
    complete: bool
    whole: str = ""


Found = tuple[int, Extraction]
"""Where an answer stands, and the answer."""

_BOX = re.compile(r"\\(?:boxed|fbox|framebox|box|Boxed)\s{0,3}\{")
_BARE_BOX = re.compile(r"\\boxed\s{1,3}([^\s{}$\\]{1,30})")
_OPEN_BOX = re.compile(r"^[ \t$]*\\boxed\s{0,3}\{([^{}\n]{1,60})$", re.MULTILINE)
_JOINED = re.compile(r"(?:[\s$,;]|\\[\]\[()]|\\q?quad|\\text\{\s?(?:and|or)\s?\}|and|or){1,30}")
_OR = re.compile(r"\bor\b")
_NEAR = 120
"""Characters that may stand between boxes that each hold a part of the answer."""
_TAG = re.compile(
    r"<(answer|ans|final[ _-]?answer)>|\[(answer|final[ _-]?answer)\]|<\|(begin_of_box)\|>", re.IGNORECASE
)
_TAG_END = re.compile(
    r"</(?:answer|ans|final[ _-]?answer)>|\[/(?:answer|final[ _-]?answer)\]|<\|end_of_box\|>", re.IGNORECASE
)
_JSON = re.compile(
    r"""["'](?:final[ _]?)?answer["']\s?:\s?(?:"((?:[^"\\\n]|\\.){1,500})"|'([^'\n]{1,500})'|(-?\d[\d.,]*))""",
    re.IGNORECASE,
)
_HASHES = re.compile(r"^[ \t]*#{4}[ \t]*(?=\S)(.{1,200})$", re.MULTILINE)
_HEADING = re.compile(
    r"\d+[.):]\s|.*:\s*$|(?:\*\*)?(?:final\s)?(?:step|answer|part|case|solution|conclusion)\b", re.IGNORECASE
)
_BROKEN_OFF = re.compile(
    r"\\(?:b(?:o(?:x(?:ed?)?)?)?)?$|<\w{0,14}$|(?:\banswer|答案)(?:\s(?:is|are)|[是为])?[\s:：*_]{0,6}$", re.IGNORECASE
)


def backwards(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """The last matches, the very last one first."""
    return reversed(list(pattern.finditer(text))[-MAX_MATCHES:])


def last_box(text: str, parts: int = 1) -> Found | None:
    """The last box that is closed and not empty, together with those joined to it: `box and box`.

    Where the answer has several `parts`, as many boxes of one paragraph hold them, with words between.
    """
    boxes: list[tuple[int, int, str]] = []
    joint = ", "
    for match in backwards(_BOX, text):
        end = group_end(text[: match.end() + MAX_ANSWER], match.end() - 1)
        if end is None or not (inner := text[match.end() : end].strip()):
            continue
        if boxes:
            between = text[end + 1 : boxes[0][0]]
            if not _belongs(between, len(boxes), parts):
                break
            joint = " or " if _OR.search(between) else joint
        boxes.insert(0, (match.start(), end, inner))
    if not boxes:
        return _open_box(text)
    said = dict.fromkeys(box[2] for box in boxes)
    return boxes[0][0], Extraction(joint.join(said), "boxed", True)


def _belongs(between: str, count: int, parts: int) -> bool:
    if _JOINED.fullmatch(between):
        return True
    return count < parts and len(between) <= _NEAR and "\n\n" not in between


def _open_box(text: str) -> Found | None:
    r"""`\boxed 12`, and a box that nobody closed if it is alone on the last line."""
    if (bare := next(backwards(_BARE_BOX, text), None)) is not None:
        return bare.start(), Extraction(bare.group(1).rstrip(".,"), "boxed", bare.end() < len(text))
    match = next(backwards(_OPEN_BOX, text), None)
    if match is None or text[match.end() :].strip():
        return None
    return match.start(), Extraction(match.group(1).strip(), "boxed", False)


def last_json(text: str) -> Found | None:
    """`{"final_answer": "12"}`."""
    match = next(backwards(_JSON, text), None)
    if match is None:
        return None
    inner = next(filter(None, match.groups())).strip()
    return (match.start(), Extraction(inner.replace("\\\\", "\\"), "json", True)) if inner else None


def last_hashes(text: str) -> Found | None:
    """`#### 72`, which is also how a heading begins: what names no number counts on the last line only."""
    for match in backwards(_HASHES, text):
        said = match.group(1).strip(" *")
        last = not text[match.end() :].strip()
        if _HEADING.match(said) or not (last or read_quantity(said) is not None):
            continue
        return match.start(), Extraction(said.rstrip("."), "hashes", not last)
    return None


def tags(text: str) -> Iterator[tuple[int, str, bool]]:
    """The insides of the answer tags, the last one first, with their places and whether they are closed."""
    for match in backwards(_TAG, text):
        inside = text[match.end() : match.end() + 2 * MAX_ANSWER]
        end = _TAG_END.search(inside)
        inner = (inside[: end.start()] if end else inside).strip()
        if inner:
            yield match.start(), inner, end is not None


def has_tag(text: str) -> bool:
    return _TAG.search(text) is not None


def opens_after(text: str, start: int) -> bool:
    """Whether a box or a tag is opened after `start` and not closed: a text that was cut there has another answer."""
    for match in _BOX.finditer(text, start):
        if group_end(text, match.end() - 1) is None:
            return True
    opened = [match for match in _TAG.finditer(text, start) if _TAG_END.search(text, match.end()) is None]
    return bool(opened) or _BROKEN_OFF.search(text) is not None
