"""Reads one number with what stands around it: `AB = 12 cm`, `about $1,200`, `25%`, `3.5 million people`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from stages.verify.arithmetic import Unreadable, Value, evaluate
from stages.verify.notation import plain
from stages.verify.units import DOUBTFUL, Unit, parse_unit
from stages.verify.words import OF_NUMBERS, SCALES, read_words

MAX_LENGTH = 300
"""Characters of an answer that may still be one number with its unit."""
MAX_SIDES = 6
"""Sides of an equation chain such as `x = 2 + 3 = 5`."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as written.

    `percent` says that a percent sign followed, `noun` is what was counted if it isn't a unit of measure, in
    lower case and without plural, and `name` is the left side of `x = 5`. `doubtful` says that what was read as a unit may
    mean something else, as in `5 T`.
    """

    value: Value
    unit: Unit | None = None
    percent: bool = False
    noun: str = ""
    name: str = ""
    doubtful: bool = False


_SCALE = re.compile(rf"(?:{'|'.join(SCALES)})s?(?![A-Za-z])", re.IGNORECASE)
_SHORT_SCALES = {"k": 10**3, "K": 10**3, "M": 10**6, "mn": 10**6, "mil": 10**6, "B": 10**9, "bn": 10**9, "T": 10**12}
_SHORT_SCALE = re.compile(r"(k|K|mn|mil|M|bn|B|T)(?![A-Za-z/^\d])")
"""Of a number in a chart: `12K`, `$3.5 M`."""
_RATIO = re.compile(r"^(\d{1,9})\s?:\s?(\d{1,9})$")
_DATE = re.compile(r"(?:\d+/\d+/\d+|\d{4}-\d{1,2}-\d{1,2}|\d{1,2}-\d{1,2}-\d{4})(?![\d/.-])")
"""`25/12/2018` is no quotient and `2018-12-25` no difference."""
_ABOUT_SIGN = re.compile(r"≈|≒|\\approx(?![A-Za-z])|\\simeq(?![A-Za-z])|≅|\\doteq(?![A-Za-z])")
EQUALS = re.compile(r"(?<![<>!=\\])=(?![<>=])")
"""An equals sign, and no part of another."""
_NAME = re.compile(r"(?!.*(?<![A-Za-z_({\d])\d)[\w\s(){}\\'∠△⊙°]{1,60}")
"""`x`, `AB`, `S_{1}`, `f(2)`, `the area`; a digit only as an index or argument, so not `2x`."""
_NO_NAME = re.compile(
    r"\b(?:[Nn]o|(?i:not|never|cannot|false|unlikely|(?:more|less|greater|smaller|fewer|other|rather) than|at (?:least|most)"
    r"|half|twice))\b"
)
"""What makes another statement of an equation: `not x = 5`, `more than x = 5`."""
_LEADING = re.compile(
    r"(?:(?:approximately|approx\.?|about|around|roughly|nearly|exactly|only|just|an? total of|equal to|约为?|大约)\s?"
    r"|[=~]\s?)+",
    re.IGNORECASE,
)
_CURRENCY = re.compile(
    r"([-+]?)\s?((?:US|A|C|HK|NZ|S)?\$|[€£¥₹₩₽]|Rs\.?|(?:USD|EUR|GBP|CNY|RMB|JPY|INR)(?=\s))\s?(?=[-\d.])"
)
_DEGREE = re.compile(r"\^\s?\{?\s?(?:\\circ|\\degree|°|o\b)\s?\}?|\\(?:circ|degree)(?![A-Za-z])")
_PERCENT = re.compile(r"(?:%|percent\b|per cent\b|percentage(?: points?)?\b|pct\b\.?|个?百分点)\s?", re.IGNORECASE)
_PARENTHESIS = re.compile(r"\s?\([^()\d]{1,80}\)$")
"""A remark, if it isn't the unit."""
_HEAD = re.compile(
    r"(?:[\d\s.,+\-*/^(){}\[\]×÷·√π]|\\(?:frac|sqrt|pi|times|cdot|div|overline)(?![A-Za-z])|(?<=\d)[eE](?=[-+]?\d)"
    r"|(?<=[\d\s])[xX](?=\s?\d)|pi(?![a-z])|sqrt(?=[\s({]))+"
)
_CLOSED_FORM = re.compile(
    r"\\?(?:a?r?c?(?:sin|cos|tan)h?|ln|lg|log|exp)(?![A-Za-z])|(?<![A-Za-z\d.])\d*\.?\d*\s?e(?![A-Za-z])|!|\\[dt]?binom"
)
"""What makes a number of a text that the head alone does not see: functions, the number e, factorials."""
_PAIR = re.compile(r"(\d+(?:\.\d+)?)\s?([A-Za-z\u4e00-\u9fff°'\"$]{1,12}\.?)(?:\s*(?:,|and)?\s*)")
_NOUN = re.compile(
    r"(?:[A-Za-z][A-Za-z'-]+\.?|[\u4e00-\u9fff]{1,6})(?:\s(?:[A-Za-z][A-Za-z'-]*|[\u4e00-\u9fff]{1,6})){0,4}"
    r"(?:\s?\^\s?\{?[23]\}?)?"
)
_NOT_A_NOUN = re.compile(
    r"\b(?:or|and|to|not|no|if|but|nor|than|minus|plus|over|half|halves|thirds?|quarters?|fourths?|fifths?|squared"
    r"|cubed|choose|mod|am|pm|a\.m|p\.m|st|nd|rd|th|i|pi|sqrt|e|equals?|is|are|was|were|because|since|unless|except"
    r"|sin|cos|tan|log|ln|exp|between|from|o'clock|noon|at least|at most|undefined|unknown|negative|below zero|fold)\b"
    r"|或|和|与|至|到|不",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r"\s(?:long|wide|tall|high|deep|thick|each|in total|total|altogether|away|apart|old|more|left"
    r"|of [a-z]{3,20}|per (?:person|item))\.?$"
)
_BLANK_THOUSANDS = re.compile(r"(?<![\d.,\w])\d{1,3}(?: \d{3}|'\d{3})+(?=$|\.\d|\s?[^\d\s.,;/'])")
"""`10 000`, but not the three numbers `100 200, 300`."""
_REASON = re.compile(r",?\s+(?:since|because)\s.*$")
_AGAIN = re.compile(r"\s?\((\d[\d,.]{0,20})\)")
"""`seven (7)`."""
_NUMERALS = re.compile(rf"\b(?:{'|'.join(sorted(OF_NUMBERS, key=len, reverse=True))})\b", re.IGNORECASE)
"""Words that make another number, a range, a condition or a denial of what stands before them."""


@lru_cache(maxsize=4096)
def read_quantity(text: str) -> Quantity | None:
    """The one number that `text` states, or None if it states none, several, or something else as well.

    Of `1/3 ≈ 0.33` the first, exact side counts.
    """
    if len(text) > MAX_LENGTH:
        return None
    text = _REASON.sub("", _RATIO.sub(r"\1/\2", plain(text)))
    text = _BLANK_THOUSANDS.sub(lambda match: re.sub(r"[ ']", "", match.group(0)), text)
    if _DATE.match(text):
        return None
    for side in _ABOUT_SIGN.split(text):
        if (found := _equation(side.strip())) is not None:
            return found
    return None


def denies(left: str) -> bool:
    """Whether the left side of an equation says something else of it than what is equal to the right side."""
    return _NO_NAME.search(left) is not None


def _equation(text: str) -> Quantity | None:
    """`x = 5`, `2 + 3 = 5` and `x = 2y = 5` state 5; `2x + z = 1` states no number."""
    *left, last = (side.strip() for side in EQUALS.split(text))
    if len(left) >= MAX_SIDES or any("," in side or ";" in side for side in left):
        return None
    if left and denies(left[0]):
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
    if _CLOSED_FORM.search(text) and (found := _closed_form(text)) is not None:
        return found
    if (pairs := _mixed_units(text)) is not None:
        return pairs
    if (words := read_words(text)) is not None:
        value: Value | None = Value(float(words[0]), words[0])
        end = words[1]
    else:
        head = _HEAD.match(text)
        value, end = _value(head.group(0)) if head else (None, 0)
    if value is None:
        return None
    after = text[end:]
    if (again := _AGAIN.match(after)) and (said := _evaluated(again.group(1))) and said.exact == value.exact:
        after = after[again.end() :]
    return _with_rest(value, after, unit) or _with_rest(value, _PARENTHESIS.sub("", after), unit)


def _closed_form(text: str) -> Quantity | None:
    """`20\\sin 40°`, perhaps with a unit after a blank; the inverse of an angle's function is an angle."""
    value = _evaluated(text)
    if value is not None:
        angle = re.match(r"\s*-?\\?(?:arc|(?:sin|cos|tan)\s?\^\s?\{?\s?-\s?1)", text)
        return Quantity(value, parse_unit("rad")) if angle else Quantity(value)
    form, _, rest = text.rpartition(" ")
    unit = parse_unit(rest)
    value = _evaluated(form) if unit is not None else None
    return None if value is None else Quantity(value, unit)


def _evaluated(text: str) -> Value | None:
    try:
        return evaluate(text)
    except Unreadable:
        return None


def _mixed_units(text: str) -> Quantity | None:
    """`2 hours 30 minutes`, `5 ft 3 in`: numbers with smaller and smaller units of one dimension, in the first unit."""
    pairs = _PAIR.findall(text)
    if len(pairs) < 2 or _PAIR.sub("", text).strip():
        return None
    units = [parse_unit(name) for _, name in pairs]
    first = units[0]
    total, last = Fraction(0), math.inf
    for (number, _), unit in zip(pairs, units, strict=True):
        if unit is None or first is None or unit.dimension != first.dimension or unit.size >= last:
            return None
        total += Fraction(number) * (Fraction(unit.size) / Fraction(first.size)).limit_denominator(10**7)
        last = unit.size
    return Quantity(Value(float(total), total), first)


def _value(head: str) -> tuple[Value | None, int]:
    """The value of the head and its length; a bracket or sign at its end may belong to what follows, as in `21 (cm)`."""
    head = head.rstrip()
    for candidate in (head, head.rstrip("([{ ,-/.")):
        if candidate and (value := _evaluated(candidate)) is not None:
            return value, len(candidate)
    return None, 0


def _with_rest(value: Value, after: str, unit: Unit | None) -> Quantity | None:
    spaced = after[:1].isspace()
    rest = after.strip()
    if rest.startswith("°") and rest not in ("°", "°C", "°F"):
        named = parse_unit(rest) or parse_unit(rest[1:] if rest[1:2].isspace() else "")
        return None if named is None else Quantity(value, named)
    percent = _PERCENT.match(rest)
    if percent:
        rest = rest[percent.end() :]
    value, rest = _scaled(value, rest, spaced and unit is None)
    spaced = spaced or rest[:1].isspace()
    rest = _bare(rest)
    if not rest:
        return Quantity(value, unit, percent is not None)
    if (named := _unit(rest, spaced)) is not None:
        return Quantity(value, named, percent is not None, doubtful=rest in DOUBTFUL)
    if _NOUN.fullmatch(rest) and not _NOT_A_NOUN.search(rest) and not _NUMERALS.search(rest):
        return Quantity(value, unit, percent is not None, rest.lower().removesuffix("s"))
    return None


def _scaled(value: Value, rest: str, spaced: bool) -> tuple[Value, str]:
    """The value with the scale that follows it, in words or, without a blank before it, by a letter."""
    scale = _SCALE.match(rest)
    short = None if scale or spaced else _SHORT_SCALE.match(rest)
    if value.exact is None or not (scale or short):
        return value, rest
    factor = (
        SCALES[scale.group(0).lower().removesuffix("s")] if scale else _SHORT_SCALES[short.group(0)] if short else 1
    )
    end = scale.end() if scale else short.end() if short else 0
    return Value(value.approx * factor, value.exact * factor), rest[end:]


def _unit(rest: str, spaced: bool) -> Unit | None:
    """The unit that the rest names, perhaps with a word that says of what: `cm long`, `dollars each`."""
    if (named := parse_unit(rest, spaced)) is not None:
        return named
    tail = _TAIL.search(rest)
    return parse_unit(rest[: tail.start()], spaced) if tail else None


def _bare(rest: str) -> str:
    """The unit without brackets and hyphens: `(cm^2)`, `-cm`."""
    rest = rest.strip(" -#")
    if rest[:1] in "({[" and rest[-1:] in ")}]":
        rest = rest[1:-1].strip()
    return rest
