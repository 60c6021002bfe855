r"""Sets of real numbers: `[2, \infty)`, `x \geq 2`, `-1 < x < 2`, `x < 0 or x > 3`, `\{x | x \neq 1\}`, `\mathbb{R}`.

A relation between two unknowns (`b > a`) is no set of numbers; relations are compared with each other as relations.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from stages.verify.algebra import proportional, same
from stages.verify.arithmetic import value_of
from stages.verify.formula import Node, Unreadable, parse

REALS = "ℝ"
_INFINITE = re.compile(r"([-+]?)\s?∞")
_SIGN = re.compile(r"[<>≤≥≠]")
_BUILDER = re.compile(r"\\\{\s*([A-Za-z]\w?)\s*(?:\||:|∈\s?ℝ\s*[|:])\s*(.+)\\\}")
_MEMBER = re.compile(r"\s*\\?([A-Za-zα-ω](?:_\{?\w\}?)?)\s*∈\s*(.+)")
_INTERVAL = re.compile(r"\s*([\[(])([^\[\](),;]+|[^,;]+)[,;](.+)([\])])\s*")
_EXCEPT = re.compile(r"ℝ\s*(?:\\setminus|\\backslash|-|\\)\s*\\\{(.+)\\\}")
_BARS = re.compile(r"\s*\|\s*([A-Za-z]|[A-Za-z]_\w)\s*\|\s*([<>≤≥])\s*([^|<>≤≥]+)")
_SYMBOL = re.compile(r"(?:[A-Za-zα-ωΑ-Ω]|\\[A-Za-z]+)(?:_(?:\{\w{1,6}\}|\w))?(?:\([A-Za-z]\))?")


@dataclass(frozen=True, slots=True)
class Interval:
    """Ends are formulas; None is infinity."""

    low: Node | None
    low_closed: bool
    high: Node | None
    high_closed: bool


@dataclass(frozen=True, slots=True)
class Region:
    """A union of intervals; `name` is the variable that it is said of, if any."""

    intervals: tuple[Interval, ...]
    name: str = ""


def is_relation(text: str) -> bool:
    return _SIGN.search(text) is not None


def looks_like_region(text: str) -> bool:
    """Whether a text can hardly be anything else: it has a relation, infinity, a union, or a half-open interval."""
    half_open = re.fullmatch(r"\s*(?:\[[^\[\]]+\)|\([^()]+\])\s*", text) is not None
    return (
        is_relation(text)
        or half_open
        or any(sign in text for sign in ("∪", REALS, "∈"))
        or ("∞" in text and "," in text)
    )


def same_regions(gold: str, answer: str) -> bool | None:
    """Whether two texts name the same set, or state the same relation; None if one of them can't be read."""
    wanted, given = read_region(gold), read_region(answer)
    if wanted is not None and given is not None:
        if wanted.name and given.name and wanted.name != given.name:
            return False
        return _same_intervals(wanted.intervals, given.intervals)
    if is_relation(gold) and is_relation(answer):
        return _same_chains(gold, answer)
    return None


def read_region(text: str) -> Region | None:
    """The set of numbers that a text names."""
    try:
        return _region(text)
    except Unreadable:
        return None


def _region(text: str) -> Region | None:
    if builder := _BUILDER.fullmatch(text.strip()):
        return _region(builder.group(2))
    if member := _MEMBER.fullmatch(text):
        inner = _region(member.group(2))
        return None if inner is None else replace(inner, name=member.group(1))
    if text.strip() == REALS:
        return Region((Interval(None, False, None, False),))
    if without := _EXCEPT.fullmatch(text.strip()):
        return Region(_excluding([parse(part) for part in without.group(1).split(",")]))
    pieces = [_piece(part) for part in re.split(r"∪|\bor\b|或|\\lor\b|\\vee\b", _without_bars(text))]
    found = [piece for piece in pieces if piece is not None]
    names = {piece.name for piece in found}
    if len(found) < len(pieces) or len(names) > 1:
        return None
    return Region(tuple(interval for piece in found for interval in piece.intervals), names.pop())


def _piece(text: str) -> Region | None:
    if match := _INTERVAL.fullmatch(text):
        opening, low, high, closing = match.groups()
        return Region((Interval(_end(low, "-"), opening == "[", _end(high, "+"), closing == "]"),))
    parts = [_chain_region(part) for part in re.split(r",|;|\band\b|且|\\land\b|\\wedge\b", text) if part.strip()]
    regions = [part for part in parts if part is not None]
    if len(regions) < len(parts) or not regions or len({region.name for region in regions}) > 1:
        return None
    return regions[0] if len(regions) == 1 else _both(regions)


def _both(regions: Sequence[Region]) -> Region | None:
    """`x > 1 and x < 3` as one interval, `x ≠ 1, x ≠ 2` as three; other lists of conditions are not read."""
    points = [region.intervals[0].high for region in regions if len(region.intervals) == 2]
    if len(points) == len(regions):
        return Region(_excluding([point for point in points if point is not None]), regions[0].name)
    if len(regions) != 2 or any(len(region.intervals) != 1 for region in regions):
        return None
    (one,), (other,) = (region.intervals for region in regions)
    if one.low is None and other.low is not None:
        one, other = other, one
    if one.high is not None or other.low is not None or one.low is None or other.high is None:
        return None
    low, high = _number(one.low), _number(other.high)
    if low is None or high is None or low >= high:
        return None
    return Region((Interval(one.low, one.low_closed, other.high, other.high_closed),), regions[0].name)


def _chain_region(text: str) -> Region | None:
    """`x > 2`, `1 \\le x < 3`, `x ≠ 2`: a chain about one symbol."""
    terms, signs = _chain(text)
    if not signs:
        return None
    bare = [index for index, term in enumerate(terms) if _SYMBOL.fullmatch(term)]
    if len(bare) != 1 or len(terms) > 3:
        return None
    name = terms[bare[0]]
    if signs == ["≠"]:
        return Region(_excluding([parse(terms[1 - bare[0]])]), name)
    if any(name in parse(term).symbols() for index, term in enumerate(terms) if index != bare[0] and "∞" not in term):
        return None
    if signs[0] in ">≥":
        terms, signs, bare = terms[::-1], [_turned(sign) for sign in signs[::-1]], [len(terms) - 1 - bare[0]]
    if any(sign not in "<≤" for sign in signs) or (len(terms) == 3 and bare[0] != 1):
        return None
    low = terms[bare[0] - 1] if bare[0] else None
    high = terms[bare[0] + 1] if bare[0] + 1 < len(terms) else None
    return Region(
        (
            Interval(
                None if low is None else _end(low, "-"),
                low is not None and "∞" not in low and signs[0] == "≤",
                None if high is None else _end(high, "+"),
                high is not None and "∞" not in high and signs[-1] == "≤",
            ),
        ),
        name,
    )


def _without_bars(text: str) -> str:
    """`|x| < 3` as `-3 < x < 3`, and `|x| > 3` as `x < -3 or x > 3`."""
    match = _BARS.fullmatch(text)
    if match is None:
        return text
    name, sign, end = match.groups()
    if sign in "<≤":
        return f"-({end}) {sign} {name} {sign} {end}"
    return f"{name} {_turned(sign)} -({end}) or {name} {sign} {end}"


def _chain(text: str) -> tuple[list[str], list[str]]:
    return [term.strip() for term in _SIGN.split(text)], _SIGN.findall(text)


def _turned(sign: str) -> str:
    return {"<": ">", ">": "<", "≤": "≥", "≥": "≤"}.get(sign, sign)


def _end(text: str, sign: str) -> Node | None:
    """An end as a formula, or None for the infinity of this sign: `(∞, 3)` is not `(-∞, 3)`."""
    infinite = _INFINITE.fullmatch(text.strip())
    if infinite is None:
        return parse(text.strip())
    if (infinite.group(1) or "+") != sign:
        raise Unreadable("an infinity on the wrong side")
    return None


def _excluding(points: Sequence[Node]) -> tuple[Interval, ...]:
    """The line without some points, from left to right where they are numbers."""
    ordered = sorted(points, key=lambda point: _number(point) or 0.0)
    ends = [None, *ordered, None]
    return tuple(Interval(low, False, high, False) for low, high in pairwise(ends))


def _number(node: Node) -> float | None:
    try:
        return value_of(node, {}).approx
    except Unreadable:
        return None


def _same_intervals(wanted: tuple[Interval, ...], given: tuple[Interval, ...]) -> bool:
    if len(wanted) != len(given):
        return False
    return all(_same_interval(a, b) for a, b in zip(_ordered(wanted), _ordered(given), strict=True))


def _ordered(intervals: tuple[Interval, ...]) -> list[Interval]:
    """By the lower ends, where they are numbers."""
    return sorted(intervals, key=lambda each: float("-inf") if each.low is None else (_number(each.low) or 0.0))


def _same_interval(a: Interval, b: Interval) -> bool:
    closed = (a.low_closed, a.high_closed) == (b.low_closed, b.high_closed)
    return closed and _same_end(a.low, b.low) and _same_end(a.high, b.high)


def _same_end(a: Node | None, b: Node | None) -> bool:
    return (a is None and b is None) or (a is not None and b is not None and same(a, b) is True)


def _same_chains(gold: str, answer: str) -> bool | None:
    """`b > a > c` is `c < a < b`; of two terms, `2x > 4` is also `x > 2`."""
    (terms, signs), (others, other_signs) = (_rising(*_chain(text)) for text in (gold, answer))
    if len(terms) != len(others):
        return False
    try:
        if len(terms) == 2:
            left, right = (Node("+", (parse(a), Node("negate", (parse(b),)))) for a, b in (terms, others))
            sign = proportional(left, right)
            if signs == other_signs and signs[0] in "≠":
                return None if sign is None else sign != 0
            return None if sign is None else signs == other_signs and sign > 0
        return signs == other_signs and all(same(parse(a), parse(b)) for a, b in zip(terms, others, strict=True))
    except Unreadable:
        return None


def _rising(terms: list[str], signs: list[str]) -> tuple[list[str], list[str]]:
    if signs[0] in ">≥":
        return terms[::-1], [_turned(sign) for sign in signs[::-1]]
    return terms, signs
