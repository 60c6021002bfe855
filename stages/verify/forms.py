r"""Compares answers of several shapes part by part: lists, tuples, sets, matrices, ratios, equations, `\pm`, other bases.

Every function says True or False, or None where it can't read one of the two sides. The parts are numbers (with their
units and roundings) or formulas, whose symbols keep case and subscript.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from stages.verify.algebra import proportional, same
from stages.verify.arithmetic import is_range
from stages.verify.brackets import Items, read_items, split_top
from stages.verify.formula import Node, Unreadable, parse
from stages.verify.modes import date, number
from stages.verify.notation import plain
from stages.verify.quantity import EQUALS, denies, read_quantity
from stages.verify.regions import is_relation, looks_like_region, same_regions
from stages.verify.signs import one_sign_each

MAX_LENGTH = 1_000
"""Characters of a side."""
MAX_DEPTH = 4
"""Lists in lists."""
_ZERO = Node("number")

_EMPTY = re.compile(
    r"∅|\\\{\s*\\\}|\{\s*\}|(?:the )?empty set|(?:there (?:is|are) )?no (?:real )?(?:solutions?|roots?)|无(?:实数?)?解|空集",
    re.IGNORECASE,
)
_BASED = re.compile(
    r"\(?\s*(\d[0-9A-Fa-f]{0,39}|[A-F][0-9A-F]{1,39}(?=\s*\)?\s*_\s*\{?\s*16))\s*\)?\s*(?:_\s*\{?\s*(\d{1,2}|[a-z]{3,7})\s*\}?|\(?base\s?-?(\d{1,2}|[a-z]{3,7})\)?)"
)
_BASE_WORDS = {word: str(base) for base, word in enumerate("two three four five six seven eight nine ten".split(), 2)}
_MATRIX = re.compile(
    r"[(\[]?\s*\\begin\{(p|b|v|B|V|small)?(matrix|array)\}(?:\{[lcr|]*\})?((?:(?!\\begin).)*)\\end\{(?:[pbvBV]|small)?(?:matrix|array)\}\s*[)\]]?",
    re.DOTALL,
)
_SUBSTANCE = re.compile(r"\d{0,3}(?:[A-Z][a-z]?\d{0,3}|\((?:[A-Z][a-z]?\d{0,3})+\)\d{0,3}){2,}(?:\^?\d?[+-])?")
_CLOCK = re.compile(r"^\d{1,2}:[0-5]\d(?!\d|:\d\d?:)")
_POINT = re.compile(r"([A-Z]'?)\s?(\([^()]*,[^()]*\))")
_NAME = re.compile(
    r"\s*(?:[A-Za-zα-ωΑ-Ω]|\\[A-Za-z]+)(?:_(?:\{[^{}]{1,20}\}|\w|\\[a-z]+))?'*(?:\([^()=]{1,40}\))?(?:\^\{?-1\}?)?\s*"
)
_WORDS = re.compile(r"[A-Za-z\s'-]{0,40}\\?(?:angle|triangle|∠|△)?\s?[A-Za-z]{1,5}\s*")
_INDEX = re.compile(r"_(?:\{[^{}]*\}|\w)")
_OPERATOR = re.compile(r"\s*\\(?:lim|sum|prod|int|iint|oint|det|max|min|sup|inf)(?![A-Za-z])")
_LONG_WORD = re.compile(r"[A-Za-z]{3,}")
_IN_WORDS = re.compile(r"^(\d+) to (\d+)$")
_RATIO = re.compile(r"(?<![:])[:∶](?![:=])")


def compare(gold: str, answer: str) -> bool | None:
    """Whether two answers are equal as mathematics."""
    if len(gold) > MAX_LENGTH or len(answer) > MAX_LENGTH:
        return None
    return _compare(one_sign_each(gold), one_sign_each(answer), 0)


def same_substance(gold: str, answer: str) -> bool:
    """`H2SO4` is `H_2SO_4`."""
    if len(gold) > MAX_LENGTH or len(answer) > MAX_LENGTH:
        return False
    wanted, given = (re.sub(r"[\s_{}]|\^(?=\{?[+-])", "", plain(side)) for side in (gold, answer))
    return wanted == given and _SUBSTANCE.fullmatch(wanted) is not None


def _compare(gold: str, answer: str, depth: int) -> bool | None:
    if not gold or not answer or depth > MAX_DEPTH:
        return None
    if _squeezed(gold) == _squeezed(answer) and _is_formula(gold):
        return True
    gold, answer = _unnamed_points(_unwrapped(gold), _unwrapped(answer))
    for kind in (_empty, _based, _clock, _equations, _infinite, _region, _matrix, _ratio, _items):
        if (found := kind(gold, answer, depth)) is not None:
            return found is True
    return _leaf(gold, answer)


def _unwrapped(text: str) -> str:
    """The only item of a list."""
    items = read_items(text)
    return items.parts[0] if len(items.parts) == 1 and items.bracket in ("[", "\\{") and not is_relation(text) else text


def _unnamed_points(gold: str, answer: str) -> tuple[str, str]:
    """`A(2, 3)` as its coordinates, where the other side does not name the point."""
    wanted, given = _POINT.fullmatch(gold), _POINT.fullmatch(answer)
    if (wanted is None) == (given is None):
        return gold, answer
    return (wanted.group(2) if wanted else gold), (given.group(2) if given else answer)


def _squeezed(text: str) -> str:
    """A text without blanks, but `1 2` is not 12."""
    return re.sub(r" (?!\d)|(?<!\d) ", "", text)


def _empty(gold: str, answer: str, _: int) -> bool | None:
    found = [_EMPTY.fullmatch(side) is not None for side in (gold, answer)]
    return None if not any(found) else all(found)


def _clock(gold: str, answer: str, _: int) -> bool | None:
    """Times of the day: `3:30` is `3:30 PM`."""
    return date.compare(gold, answer).equal if _CLOCK.search(gold) and _CLOCK.search(answer) else None


def _infinite(gold: str, answer: str, _: int) -> bool | None:
    found = [re.fullmatch(r"([-+]?)\s?∞", side) for side in (gold, answer)]
    if not any(found):
        return None
    return all(found) and len({match.group(1).strip("+") for match in found if match}) == 1


def _based(gold: str, answer: str, _: int) -> bool | None:
    """Digits with their base: `2516_8`. An answer may leave out the base of the gold, not add one."""
    wanted, given = _BASED.fullmatch(gold), _BASED.fullmatch(answer)
    if wanted is None:
        return None if given is None or not re.fullmatch(r"[\d\s,]+", gold) else False
    if given is None:
        return wanted.group(1).lstrip("0") == answer.strip("() ").lstrip("0")
    return [_digits_and_base(match) for match in (wanted, given)].count(_digits_and_base(wanted)) == 2


def _digits_and_base(match: re.Match[str]) -> tuple[str, str]:
    base = match.group(2) or match.group(3)
    return match.group(1).upper().lstrip("0"), _BASE_WORDS.get(base, base)


def _region(gold: str, answer: str, _: int) -> bool | None:
    if not (looks_like_region(gold) or looks_like_region(answer)):
        return None
    return same_regions(gold, answer)


def _matrix(gold: str, answer: str, depth: int) -> bool | None:
    wanted, given = _MATRIX.fullmatch(gold), _MATRIX.fullmatch(answer)
    if wanted is None or given is None:
        return None
    rows, others = ([[*row.split("&")] for row in _rows(match.group(3))] for match in (wanted, given))
    if [len(row) for row in rows] != [len(row) for row in others]:
        return False
    if (wanted.group(1) in ("v", "V")) != (given.group(1) in ("v", "V")):
        return False
    pairs = zip((cell for row in rows for cell in row), (cell for row in others for cell in row), strict=True)
    return all(_compare(a.strip(), b.strip(), depth + 1) for a, b in pairs)


def _rows(text: str) -> list[str]:
    return [row for row in re.split(r"\\\\(?:\[[^\]]*\])?", text) if row.strip()]


def _ratio(gold: str, answer: str, _: int) -> bool | None:
    """`1:2:3` is `2:4:6`; a ratio of two parts is also their quotient."""
    if ":" not in gold + answer:
        return None
    wanted, given = (split_top(_IN_WORDS.sub(r"\1:\2", side), _RATIO) for side in (gold, answer))
    if len(wanted) < 2 and len(given) < 2:
        return None
    try:
        left, right = ([parse(part) for part in side] for side in (wanted, given))
    except Unreadable:
        return None
    if any(part == _ZERO for part in (*left, *right)):
        return False
    if {len(left), len(right)} == {1, 2}:
        left, right = (side if len(side) == 1 else [Node("/", tuple(side))] for side in (left, right))
        return same(left[0], right[0])
    if len(left) != len(right):
        return False
    crossed = zip(left[1:], right[1:], strict=True)
    return all(same(Node("*", (left[0], b)), Node("*", (right[0], a))) for a, b in crossed)


def _equations(gold: str, answer: str, depth: int) -> bool | None:
    """Two equations are equal if one is a multiple of the other; else the last side counts, if the left side asks for it."""
    wanted, given = ([side.strip() for side in split_top(text, EQUALS)] for text in (gold, answer))
    if len(wanted) == len(given) == 1 or _is_list(gold) or _is_list(answer):
        return None
    if len(wanted) > 1 and len(given) > 1:
        return _both_equations(wanted, given, depth)
    left, right = (wanted[0], wanted[-1]) if len(wanted) > 1 else (given[0], given[-1])
    if not _asks(left) or (right == "0" and not _NAME.fullmatch(left)):
        return False
    return _compare(right, answer, depth + 1) if len(wanted) > 1 else _compare(gold, right, depth + 1)


def _is_list(text: str) -> bool:
    """`x = 1, y = 2` is a list of equations, `(x, y) = (1, 2)` is none."""
    return len(read_items(text).parts) > 1 and not read_items(text).bracket


def _both_equations(wanted: Sequence[str], given: Sequence[str], depth: int) -> bool | None:
    if _squeezed(wanted[0]) == _squeezed(given[0]) and _compare(wanted[-1], given[-1], depth + 1):
        return True
    try:
        left, right = (Node("+", (parse(side[0]), Node("negate", (parse(side[-1]),)))) for side in (wanted, given))
    except Unreadable:
        return False
    return bool(proportional(left, right))


def _asks(left: str) -> bool:
    """Whether the value of a left side can be what was asked for: a name, or a formula of bare symbols such as `m + n`.

    A formula with coefficients, as in `2x + z = 5`, is an equation that is not solved.
    """
    if left.startswith("-") or denies(left) or re.search(r"[<>≤≥≠]", left):
        return False
    if _NAME.fullmatch(left) or _WORDS.fullmatch(left) or _OPERATOR.match(left):
        return True
    try:
        return not _has_coefficient(parse(left))
    except Unreadable:
        # What is named in words or by a picture of signs, as in `Area of △ABC`; or several unknowns, `(x, y)`.
        return "+" not in left and re.search(r"\d", _INDEX.sub("", left)) is None


def _has_coefficient(node: Node) -> bool:
    if node.kind in ("^", "root", "call"):
        return _has_coefficient(node.parts[0])
    return node.kind == "number" or any(_has_coefficient(part) for part in node.parts)


def _items(gold: str, answer: str, depth: int) -> bool | None:
    wanted, given = read_items(gold), read_items(answer)
    if len(wanted.parts) < 2 and len(given.parts) < 2:
        return (
            None
            if not wanted.bracket == given.bracket == "\\{"
            else _compare(wanted.parts[0], given.parts[0], depth + 1)
        )
    if len(wanted.parts) != len(given.parts):
        wanted, given = wanted.recounted(len(given.parts)), given.recounted(len(wanted.parts))
    if 1 in (len(wanted.parts), len(given.parts)):
        # `12, 12` says 12.
        bare = not wanted.bracket and not given.bracket
        repeated = bare and all(len({_squeezed(part) for part in items.parts}) == 1 for items in (wanted, given))
        return repeated and bool(_compare(wanted.parts[0], given.parts[0], depth + 1))
    if wanted.by_name and given.by_name:
        if wanted.by_name.keys() != given.by_name.keys():
            return False
        return all(_compare(value, given.by_name[name], depth + 1) for name, value in wanted.by_name.items())
    if len(wanted.parts) != len(given.parts) or not _brackets_agree(wanted, given):
        return False
    if wanted.ordered or given.ordered:
        return any(_all_same(left, right, depth) for left in wanted.orders for right in given.orders)
    if all(_is_formula(part) for part in wanted.parts):
        return _unordered(wanted.parts, list(given.parts), depth)
    return True if _all_same(wanted.parts, given.parts, depth) else None


def _all_same(wanted: Sequence[str], given: Sequence[str], depth: int) -> bool:
    return all(_compare(a, b, depth + 1) for a, b in zip(wanted, given, strict=True))


def _brackets_agree(wanted: Items, given: Items) -> bool:
    """`x = 0 or x = 1` are two values of one unknown, and no point or interval (0, 1)."""
    if any(
        len(items.names) > len(set(items.names)) and other.ordered
        for items, other in ((wanted, given), (given, wanted))
    ):
        return False
    return wanted.bracket == given.bracket or not wanted.bracket or not given.bracket


def _is_formula(text: str) -> bool:
    """Whether a part is no prose, whose order may matter."""
    return len(_LONG_WORD.findall(re.sub(r"\\[A-Za-z]+", " ", text))) == 0 or read_quantity(text) is not None


def _unordered(wanted: Sequence[str], left: list[str], depth: int) -> bool:
    for item in wanted:
        match = next((other for other in left if _compare(item, other, depth + 1)), None)
        if match is None:
            return False
        left.remove(match)
    return True


def _leaf(gold: str, answer: str) -> bool | None:
    if is_range(gold) or is_range(answer):
        return None
    found = number.compare(gold, answer)
    if found.equal is not None or found.reason == number.UNKNOWN_UNIT:
        # `5 mg` and `5 gm` are no products of symbols.
        return found.equal is True
    try:
        return same(parse(gold), parse(answer))
    except Unreadable:
        return None
