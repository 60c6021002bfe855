r"""The parts of an answer between top-level separators: `(1, 2)`, `\{a, b\}`, `x=1, y=2`, `2 \pm \sqrt 3`, `9 and 10`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property

MAX_PARTS = 60
"""Parts of a list; unordered ones are matched one by one."""

_CLOSING = {"(": ")", "[": "]", "\\{": "\\}", "{": "}"}
_SEPARATOR = re.compile(r"[,;、]|\b(?:and|or)\b|&(?![A-Za-z])|和|与|或")
_COMMA = re.compile(",")
_SEMICOLON = re.compile(";")
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_TRIPLES = re.compile(r"\d{3}(?:,\d{3})+")
_ASSIGNED = re.compile(
    r"\s*((?:[A-Za-zα-ωΑ-Ω]|\\[A-Za-z]+)(?:_(?:\{[^{}]{1,20}\}|\w))?(?:\([^()]{1,20}\))?)\s*=\s*([^=]+)"
)


@dataclass(frozen=True)
class Items:
    """`bracket` is the opening bracket around all parts, or empty; `names` those of `x=1, y=2`, or empty.

    Bare parts and those of a set have no order; parts in round or square brackets do, and so do values of variables that
    are not one letter with several indices.
    """

    bracket: str
    parts: tuple[str, ...]
    names: tuple[str, ...] = ()
    text: str = ""

    @property
    def ordered(self) -> bool:
        return self.bracket in ("(", "[") or bool(self.by_name and len({name[0] for name in self.names}) > 1)

    @cached_property
    def by_name(self) -> dict[str, str]:
        """The values of different variables, from a to z; empty for other lists."""
        if len(set(self.names)) < len(self.parts):
            return {}
        return dict(sorted(zip(self.names, self.parts, strict=True)))

    @property
    def orders(self) -> list[tuple[str, ...]]:
        """The orders in which the parts can be meant: as given, or by their names."""
        named = tuple(self.by_name.values())
        return [self.parts, named] if named and named != self.parts else [self.parts]

    def recounted(self, count: int) -> Items:
        """`100,200,300` as three numbers, where the other side has three."""
        parts = self.text.split(",")
        if len(parts) == count and _TRIPLES.fullmatch(self.text):
            return replace(self, parts=tuple(parts))
        return self


def read_items(text: str) -> Items:
    """The parts of a text; a text without separators is its own only part."""
    text = text.strip()
    bracket = next((opening for opening in _CLOSING if text.startswith(opening)), "")
    inner = text[len(bracket) : -len(_CLOSING[bracket])] if bracket and text.endswith(_CLOSING[bracket]) else ""
    if not inner or not _balanced(inner):
        bracket, inner = "", text
    if bracket == "(" and ("±" in inner or "∓" in inner):
        return Items("", tuple(_both_signs(text)), (), text)
    if "\\begin" in inner:
        # `&` and `\\\\` separate the cells of a matrix.
        return Items(bracket, tuple(part.strip() for part in split_top(inner, _COMMA)), (), text)
    keep = bracket in ("\\{", "{")
    parts = [part.strip() for part in _grouped(inner) or split_top(inner, _SEPARATOR, thousands=not keep)]
    parts = [expanded for part in parts if part for expanded in _both_signs(part)][:MAX_PARTS]
    return _named(Items("\\{" if keep else bracket, tuple(parts), (), text))


def _grouped(text: str) -> list[str]:
    """`p=5, q=2; p=7, q=2` as two pairs; empty where semicolons do not separate lists."""
    groups = split_top(text, _SEMICOLON)
    if len(groups) < 2:
        return []
    return [f"({group})" if len(split_top(group, _SEPARATOR)) > 1 else group for group in groups]


def _named(items: Items) -> Items:
    r"""`x=1, y=2` and `x=1, x=2` by their values; `n = 2, 3` by the values of n."""
    found = [_ASSIGNED.fullmatch(part) for part in items.parts]
    if len(items.parts) > 1 and found[0] and not any(found[1:]) and not any("=" in part for part in items.parts[1:]):
        return replace(items, parts=(found[0].group(2).strip(), *items.parts[1:]))
    matches = [match for match in found if match]
    if len(items.parts) < 2 or len(matches) < len(found):
        return items
    pairs = [(match.group(1), match.group(2).strip()) for match in matches]
    return replace(items, parts=tuple(value for _, value in pairs), names=tuple(name for name, _ in pairs))


def _both_signs(part: str) -> list[str]:
    """`2 ± 3` as 2 + 3 and 2 - 3."""
    if "±" not in part and "∓" not in part:
        return [part]
    return [part.replace("±", one).replace("∓", other).removeprefix("+") for one, other in (("+", "-"), ("-", "+"))]


def split_top(text: str, separator: re.Pattern[str], thousands: bool = True) -> list[str]:
    """A text cut at the separators that stand outside all brackets, and outside `1,234` if `thousands`."""
    numbers = [match.span() for match in _THOUSANDS.finditer(text)] if thousands else []
    parts: list[str] = []
    start = 0
    for match in separator.finditer(text):
        inside = any(low < match.start() < high for low, high in numbers)
        if not inside and _balanced(text[start : match.start()]):
            parts.append(text[start : match.start()])
            start = match.end()
    return [*parts, text[start:]]


def _balanced(text: str) -> bool:
    """Whether as many brackets close as open, and none closes before one opens; intervals may mix their kinds."""
    depth = 0
    for char in text:
        if char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
            if depth < 0:
                return False
    return depth == 0
