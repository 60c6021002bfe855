"""Mode `list`: several values or names. `(1, 2)` is ordered; `[1, 2]`, `{1, 2}` and `1 and 2` are not."""

from __future__ import annotations

import re

from stages.verify.finding import UNREADABLE, Finding
from stages.verify.modes import exact, number, text
from stages.verify.notation import plain
from stages.verify.quantity import read_quantity

MAX_LENGTH = 500
"""Characters of a list."""
MAX_ITEMS = 40
"""Items of a list; unordered ones are matched one by one."""

_WRAPPERS = {"(": ")", "[": "]", "{": "}", "\\{": "\\}"}
_SEPARATOR = re.compile(r"\s*(?:[,;、]|\band\b|&|和|与)\s*")
_THOUSANDS = re.compile(r"\d{3}(?!\d)")
_BEFORE_THOUSANDS = re.compile(r"(?<![\d,])\d{1,3}(?:,\d{3}){0,4}$")


def compare(gold: str, answer: str) -> Finding:
    """Reads nothing into a gold of fewer than two items, nor into `(0, 1)` against `[0, 1]`: they may be intervals."""
    wanted, given = read_list(gold), read_list(answer)
    if wanted is None or given is None or len(wanted[1]) < 2 or {wanted[0], given[0]} == {"(", "["}:
        return UNREADABLE
    if len(wanted[1]) != len(given[1]):
        return Finding(False, f"{len(given[1])} items instead of {len(wanted[1])}")
    if wanted[0] == "(":
        same = all(_same(left, right) for left, right in zip(wanted[1], given[1], strict=True))
        return Finding(same, "equal in order" if same else "different items or order")
    return _unordered(wanted[1], given[1])


def _unordered(wanted: list[str], given: list[str]) -> Finding:
    left = list(given)
    for item in wanted:
        match = next((other for other in left if _same(item, other)), None)
        if match is None:
            return Finding(False, f"{item[:40]} is missing")
        left.remove(match)
    return Finding(True, "equal items")


def _same(gold: str, answer: str) -> bool:
    return any(mode.compare(gold, answer).equal for mode in (exact, number, text))


def read_list(side: str) -> tuple[str, list[str]] | None:
    """The opening bracket, or an empty text, and the parts between top-level commas, semicolons and `and`.

    None for half-open intervals and beyond the limits.
    """
    side = plain(side)
    if len(side) > MAX_LENGTH:
        return None
    if read_quantity(side) is not None:
        return "", [side]
    opening = next((bracket for bracket in _WRAPPERS if side.startswith(bracket)), "")
    closing = _WRAPPERS.get(opening, "")
    inner = side[len(opening) : len(side) - len(closing)]
    if not (opening and side.endswith(closing) and _balanced(inner)):
        opening, inner = "", side
    parts = [part for part in _split(inner) if part]
    return (opening, parts) if _balanced(inner) and 0 < len(parts) <= MAX_ITEMS else None


def _split(text: str) -> list[str]:
    parts: list[str] = []
    start = 0
    for match in _SEPARATOR.finditer(text):
        if _balanced(text[start : match.start()]) and not _in_number(text, match):
            parts.append(text[start : match.start()].strip())
            start = match.end()
    return [*parts, text[start:].strip()]


def _in_number(text: str, comma: re.Match[str]) -> bool:
    """`1,234` without a blank is one number."""
    before = text[max(0, comma.start() - 20) : comma.start()]
    return bool(comma.group(0) == "," and _BEFORE_THOUSANDS.search(before) and _THOUSANDS.match(text[comma.end() :]))


def _balanced(text: str) -> bool:
    """Whether every bracket is closed by one of its kind."""
    expected: list[str] = []
    for char in text:
        if char in "([{":
            expected.append(_WRAPPERS[char])
        elif char in ")]}" and (not expected or expected.pop() != char):
            return False
    return not expected
