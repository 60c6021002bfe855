"""Reads one number with what stands around it: `AB = 12 cm`, `about $1,200`, `25%`, `3.5 million people`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from stages.verify.arithmetic import Unreadable, Value, evaluate
from stages.verify.notation import plain
from stages.verify.units import Unit, parse_unit

MAX_LENGTH = 300
"""Characters of an answer that may still be one number with its unit."""
MAX_SIDES = 6
"""Sides of an equation chain such as `x = 2 + 3 = 5`."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as written.

    `percent` says that a percent sign followed, `noun` is what was counted if it isn't a unit of measure, in
    lower case and without plural, and `name` is the left side of `x = 5`.
    """

    value: Value
    unit: Unit | None = None
    percent: bool = False
    noun: str = ""
    name: str = ""


_UP_TO_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen twenty"
)
_TENS = "ten twenty thirty forty fifty sixty seventy eighty ninety"
NUMBER_WORDS = {word: number for number, word in enumerate(_UP_TO_TWENTY.split())} | {
    word: 10 * number for number, word in enumerate(_TENS.split(), 1)
}
_SCALES = {
    "hundred": 100,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
    "dozen": 12,
    "万": 10**4,
    "亿": 10**8,
}
_SCALE = re.compile(rf"(?:{'|'.join(_SCALES)})s?(?![A-Za-z])", re.IGNORECASE)

_TENS_AND_ONES = re.compile(
    rf"(?:({'|'.join(_TENS.split()[1:])})(?:[- ](?={'|'.join(_UP_TO_TWENTY.split()[1:10])}))?)?"
    rf"({'|'.join(_UP_TO_TWENTY.split()[::-1])})?(?<=[a-z])(?![A-Za-z])",
    re.IGNORECASE,
)
_RATIO = re.compile(r"^(\d{1,9})\s?:\s?(\d{1,9})$")
_DATE = re.compile(r"(?:\d+/\d+/\d+|\d{4}-\d{1,2}-\d{1,2}|\d{1,2}-\d{1,2}-\d{4})(?![\d/.-])")
"""`25/12/2018` is no quotient and `2018-12-25` no difference."""
_ABOUT_SIGN = re.compile(r"≈|≒|\\approx(?![A-Za-z])|\\simeq(?![A-Za-z])|≅|\\doteq(?![A-Za-z])")
_EQUALS = re.compile(r"(?<![<>!=\\])=(?![<>=])")
_NAME = re.compile(r"(?!.*(?<![A-Za-z_({\d])\d)[\w\s(){}\\'∠△⊙°]{1,60}")
"""`x`, `AB`, `S_{1}`, `f(2)`, `the area`; a digit only as an index or argument, so not `2x`."""
_LEADING = re.compile(
    r"(?:(?:approximately|approx\.?|about|around|roughly|nearly|exactly|only|just|an? total of|equal to|约为?|大约)\s?"
    r"|[=~]\s?)+",
    re.IGNORECASE,
)
_CURRENCY = re.compile(r"([-+]?)\s?(?:US|A|C)?([$€£¥])\s?(?=[\d.])")
_DEGREE = re.compile(r"\^\s?\{?\s?(?:\\circ|\\degree|°|o\b)\s?\}?|\\(?:circ|degree)(?![A-Za-z])")
_PERCENT = re.compile(r"(?:%|percent\b|per cent\b|percentage points?\b|个?百分点)\s?", re.IGNORECASE)
_PARENTHESIS = re.compile(r"\s?\([^()\d]{1,80}\)$")
"""A remark, if it isn't the unit."""
_HEAD = re.compile(
    r"(?:[\d\s.,+\-*/^(){}\[\]×÷·√π]|\\(?:frac|sqrt|pi|times|cdot|div|overline)(?![A-Za-z])|(?<=\d)[eE](?=[-+]?\d)"
    r"|(?<=[\d\s])[xX](?=\s?\d)|pi(?![a-z])|sqrt(?=[\s({]))+"
)
_NOUN = re.compile(
    r"(?:[A-Za-z][A-Za-z'-]+\.?|[\u4e00-\u9fff]{1,6})(?:\s(?:[A-Za-z][A-Za-z'-]*|[\u4e00-\u9fff]{1,6})){0,4}"
    r"(?:\s?\^\s?\{?[23]\}?)?"
)
_NOT_A_NOUN = re.compile(
    r"\b(?:or|and|to|not|no|if|but|nor|than|minus|plus|over|half|halves|thirds?|quarters?|fourths?|fifths?|squared"
    r"|cubed|choose|mod|am|pm|a\.m|p\.m|st|nd|rd|th|i|pi|sqrt|e|equals?|is|are|was|were|because|since|unless|except"
    r"|sin|cos|tan|log|ln|exp|between|from|o'clock|noon|at least|at most|undefined|unknown)\b"
    r"|或|和|与|至|到|不",
    re.IGNORECASE,
)
"""Words that make another number, a range, a condition or a denial of what stands before them."""


@lru_cache(maxsize=4096)
def read_quantity(text: str) -> Quantity | None:
    """The one number that `text` states, or None if it states none, several, or something else as well.

    Of `1/3 ≈ 0.33` the first, exact side counts.
    """
    if len(text) > MAX_LENGTH:
        return None
    text = _RATIO.sub(r"\1/\2", plain(text))
    if _DATE.match(text):
        return None
    for side in _ABOUT_SIGN.split(text):
        if (found := _equation(side.strip())) is not None:
            return found
    return None


def _equation(text: str) -> Quantity | None:
    """`x = 5`, `2 + 3 = 5` and `x = 2y = 5` state 5; `2x + z = 1` states no number."""
    *left, last = (side.strip() for side in _EQUALS.split(text))
    if len(left) >= MAX_SIDES or any("," in side or ";" in side for side in left):
        return None
    named = bool(left) and _NAME.fullmatch(left[0]) is not None
    if not named and any(side and _phrase(side) is None for side in left):
        return None
    found = _phrase(last)
    return replace(found, name=left[0]) if found is not None and named else found


def _phrase(text: str) -> Quantity | None:
    """A number, perhaps with a currency sign before it, and a percent sign, a scale, a unit or a noun after it."""
    if leading := _LEADING.match(text):
        text = text[leading.end() :]
    unit = None
    if currency := _CURRENCY.match(text):
        unit = parse_unit(currency.group(2))
        text = currency.group(1) + text[currency.end() :]
    text = _DEGREE.sub("°", text)
    head = _HEAD.match(text)
    value, end = _value(head.group(0)) if head else (None, 0)
    if value is None:
        value, end = _worded(text)
    if value is None:
        return None
    rest = text[end:].strip()
    return _with_rest(value, rest, unit) or _with_rest(value, _PARENTHESIS.sub("", rest), unit)


def _value(head: str) -> tuple[Value | None, int]:
    """The value of the head and its length; a bracket or sign at its end may belong to what follows, as in `21 (cm)`."""
    head = head.rstrip()
    for candidate in (head, head.rstrip("([{ ,-/.")):
        if candidate:
            try:
                return evaluate(candidate), len(candidate)
            except Unreadable:
                continue
    return None, 0


def _worded(text: str) -> tuple[Value | None, int]:
    """`five` or `Twenty-five`, and the length of the words."""
    match = _TENS_AND_ONES.match(text)
    if match is None:
        return None, 0
    tens, ones = (NUMBER_WORDS.get((word or "").lower(), 0) for word in match.groups())
    return evaluate(str(tens + ones)), match.end()


def _with_rest(value: Value, rest: str, unit: Unit | None) -> Quantity | None:
    if rest.startswith("°"):
        return Quantity(value, parse_unit(rest)) if rest in ("°", "°C", "°F") else None
    percent = _PERCENT.match(rest)
    if percent:
        rest = rest[percent.end() :]
    if (scale := _SCALE.match(rest)) and value.exact is not None:
        factor = _SCALES[scale.group(0).lower().removesuffix("s")]
        value = Value(value.approx * factor, value.exact * factor)
        rest = rest[scale.end() :]
    rest = _bare(rest)
    if not rest:
        return Quantity(value, unit, percent is not None)
    if (named := parse_unit(rest)) is not None:
        return Quantity(value, named, percent is not None)
    if _NOUN.fullmatch(rest) and not _NOT_A_NOUN.search(rest):
        return Quantity(value, unit, percent is not None, rest.lower().removesuffix("s"))
    return None


def _bare(rest: str) -> str:
    """The unit without brackets and hyphens: `(cm^2)`, `-cm`."""
    rest = rest.strip(" -")
    if rest[:1] in "({[" and rest[-1:] in ")}]":
        rest = rest[1:-1].strip()
    return rest
