"""Whether two formulas are the same function of their symbols: their values are compared at a few points.

Where both values are exact fractions, exactly; else in floating point first, which tells most different ones apart, and
then with `DIGITS` digits by mpmath. Two formulas that agree at `POINTS` points of that precision and are not equal do not
occur by accident. sympy would simplify both sides instead, which can take forever and folds the case of symbols.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

from stages.verify.arithmetic import Value, value_of
from stages.verify.formula import Node, Unreadable

POINTS = 3
"""Points at which values are compared."""
DIGITS = 40
"""Decimal digits of the values that decide equality."""
_TOLERANCE = 1e-25
_DIFFERENT = 1e-4
"""Relative difference of floating-point values that rounding can't explain."""
_MAX_SIZE = 1_000_000
"""Largest binary exponent of a value."""
_MANY_VALUED = ("root", "^", "call")


def same(left: Node, right: Node) -> bool | None:
    """Whether two formulas are equal; None if they have no value at the points that are tried."""
    names = sorted(left.symbols() | right.symbols())
    tried = 0
    for point in _points(names):
        if (equal := _same_at(left, right, point)) is None:
            continue
        if not equal:
            return False
        tried += 1
    if not tried:
        return None
    return not names or _same_below_zero(left, right, names)


def proportional(left: Node, right: Node) -> int | None:
    """The sign of the constant that `left` is of `right`, or 0 if there is none; None if that can't be said."""
    names = sorted(left.symbols() | right.symbols())
    if not names or left.symbols() != right.symbols():
        return 0
    ratios = []
    for point in _points(names):
        a, b = precise(left, point), precise(right, point)
        if a is None or b is None:
            continue
        if a == 0 or b == 0:
            return 0 if a != b else None
        ratios.append(a / b)
    if len(ratios) < 2:
        return None
    first = ratios[0]
    if (
        any(abs(ratio - first) > _TOLERANCE * abs(first) for ratio in ratios)
        or abs(first.imag) > abs(first) * _TOLERANCE
    ):
        return 0
    return 1 if first.real > 0 else -1


def _points(names: Sequence[str], sign: int = 1) -> list[dict[str, Fraction]]:
    """Positive values, as most symbols stand for positive quantities, without a pattern that a formula may share.

    Not in steps that any difference of them would make constant: `x - 2y + z` must differ from point to point.
    """
    starts = (Fraction(7, 5), Fraction(23, 11), Fraction(5, 13))
    steps = (Fraction(3, 7), Fraction(8, 17), Fraction(10, 19))
    factors = (37, 61, 83)
    return [
        {
            name: sign * (start + step * index + Fraction(factor * (index + 1) ** 3 % 101, 97))
            for index, name in enumerate(names)
        }
        for start, step, factor in zip(starts, steps, factors, strict=True)
    ][: POINTS if names else 1]


def _same_at(left: Node, right: Node, point: dict[str, Fraction]) -> bool | None:
    a, b = _value(left, point), _value(right, point)
    if a is not None and b is not None:
        if a.exact is not None and b.exact is not None:
            return a.exact == b.exact
        if abs(a.approx - b.approx) > _DIFFERENT * max(abs(a.approx), abs(b.approx)) + 1e-200:
            return False
    fine, other = precise(left, point), precise(right, point)
    if fine is None or other is None:
        return None
    return bool(abs(fine - other) <= _TOLERANCE * max(abs(fine), abs(other), 1e-12))


def _same_below_zero(left: Node, right: Node, names: Sequence[str]) -> bool:
    """`|x|` is not x, though the positive points can't tell; of two formulas with roots, powers or logarithms they can."""
    if _has(left, ("abs",)) or _has(right, ("abs",)) or _has(left, _MANY_VALUED) != _has(right, _MANY_VALUED):
        return all(_same_at(left, right, point) is not False for point in _points(names, -1))
    return True


def _has(node: Node, kinds: tuple[str, ...]) -> bool:
    return node.kind in kinds or any(_has(part, kinds) for part in node.parts)


def _value(node: Node, point: dict[str, Fraction]) -> Value | None:
    try:
        return value_of(node, point)
    except (Unreadable, OverflowError):
        return None


def precise(node: Node, point: dict[str, Fraction]) -> Any:
    """The complex value with `DIGITS` digits, or None where there is none within the limits."""
    try:
        return _evaluate(node, point, _context(), False)
    except (Unreadable, ArithmeticError, ValueError):
        return None


@lru_cache(maxsize=1)
def _context() -> Any:
    from mpmath import MPContext

    context = MPContext()
    context.dps = DIGITS
    return context


def _evaluate(node: Node, point: dict[str, Fraction], mp: Any, inside: bool) -> Any:
    if node.kind == "number":
        return mp.mpc(node.number.numerator) / node.number.denominator
    if node.kind == "symbol":
        if node.text in point:
            return mp.mpc(point[node.text].numerator) / point[node.text].denominator
        return {"π": mp.pi, "e": mp.e, "i": mp.j}[node.text] * mp.mpc(1)
    inside = inside or node.kind == "call"
    parts = [_evaluate(part, point, mp, inside) for part in node.parts]
    value = mp.mpc(_apply(node, parts, mp, inside))
    if not mp.isfinite(value) or (value != 0 and abs(mp.mag(value)) > _MAX_SIZE):
        raise Unreadable("too large")
    return value


def _apply(node: Node, parts: list[Any], mp: Any, inside: bool) -> Any:
    a, b = parts[0], parts[-1]
    match node.kind:
        case "+":
            return a + b
        case "*":
            return a * b
        case "/":
            return a / b
        case "^":
            return _power(a, b, mp)
        case "negate":
            return -a
        case "root":
            return _power(a, 1 / b, mp)
        case "abs":
            return abs(a)
        case "degree":
            return a * mp.pi / 180 if inside else a
        case "!":
            return mp.gamma(_small(a, 1_000) + 1)
        case "binomial":
            return mp.binomial(_small(a, 1_000), _small(b, 1_000))
        case _:
            return _call(node.text, parts, mp)


def _small(value: Any, limit: float) -> Any:
    if abs(value) > limit:
        raise Unreadable("too large")
    return value


def _power(base: Any, exponent: Any, mp: Any) -> Any:
    if base == 0:
        raise Unreadable("a power of zero")
    if abs(exponent) * (abs(mp.mag(base)) + 1) > _MAX_SIZE:
        raise Unreadable("too large")
    return base**exponent


def _call(name: str, parts: list[Any], mp: Any) -> Any:
    a = parts[0]
    if name == "log":
        return mp.log(a) / mp.log(parts[1] if len(parts) > 1 else 10)
    if name == "lg":
        return mp.log(a) / mp.log(10)
    if name in ("f", "F"):
        # Any function will do that no formula is likely to hold.
        return mp.sin(_small(a, 1e6) * 17 / 10) + a**3 / 3 + (2 if name == "F" else 1)
    names = {"ln": "log", "arcsin": "asin", "arccos": "acos", "arctan": "atan"}
    return getattr(mp, names.get(name, name))(_small(a, 100_000))
