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

_WRAPPED = re.compile(r"(?:\\\{|[\[({])(.*)(?:\\\}|[\])}])", re.DOTALL)
_SEPARATOR = re.compile(r"\s*(?:[,;、]|\band\b|&|和|与)\s*")
_OPENING, _CLOSING = "([{", ")]}"


def compare(gold: str, answer: str) -> Finding:
    """Reads nothing into a gold of fewer than two items."""
    wanted, given = items(gold), items(answer)
    if wanted is None or given is None or len(wanted) < 2:
        return UNREADABLE
    if len(wanted) != len(given):
        return Finding(False, f"{len(given)} items instead of {len(wanted)}")
    if _is_tuple(gold):
        same = all(_same(left, right) for left, right in zip(wanted, given, strict=True))
        return Finding(same, "equal in order" if same else "different items or order")
    return _unordered(wanted, given)


def _is_tuple(side: str) -> bool:
    side = plain(side)
    return side.startswith("(") and side.endswith(")") and _balanced(side[1:-1])


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


def items(side: str) -> list[str] | None:
    """The parts between top-level commas, semicolons and `and`; one part if there are none; None beyond the limits."""
    side = plain(side)
    if len(side) > MAX_LENGTH:
        return None
    if read_quantity(side) is not None:
        return [side]
    match = _WRAPPED.fullmatch(side)
    if match and _balanced(match.group(1)):
        side = match.group(1)
    parts = [part for part in _split(side) if part]
    return parts if 0 < len(parts) <= MAX_ITEMS else None


def _split(text: str) -> list[str]:
    parts: list[str] = []
    start = 0
    for match in _SEPARATOR.finditer(text):
        if match.start() >= start and _balanced(text[start : match.start()]) and not _in_number(text, match):
            parts.append(text[start : match.start()].strip())
            start = match.end()
    return [*parts, text[start:].strip()]


def _in_number(text: str, match: re.Match[str]) -> bool:
    """`1,234` without a blank is one number."""
    return match.group(0) == "," and bool(
        re.search(r"(?<![\d,])\d{1,3}(?:,\d{3})*$", text[: match.start()][-20:]) and re.match(r"\d{3}(?!\d)", text[match.end() :])
    )


def _balanced(text: str) -> bool:
    depth = 0
    for char in text:
        depth += (char in _OPENING) - (char in _CLOSING)
        if depth < 0:
            return False
    return depth == 0
