r"""The value of the closed forms that answers are made of: `-3`, `1,234.5`, `2\sqrt{3}/5`, `65\pi`, `e^{-2}`, `\sin 40^\circ`.

Length, depth and the size of every number are bounded, so it is safe on any input.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from stages.verify.formula import Node, Unreadable, parse

__all__ = ["Unreadable", "Value", "evaluate", "is_range", "value_of"]

MAX_LENGTH = 200
"""Characters of an expression."""
MAX_BITS = 16_384
"""Size of an exact numerator or denominator."""
MAX_FACTORIAL = 200
"""Largest number whose factorial is worked out."""


@dataclass(frozen=True, slots=True)
class Value:
    """A real number.

    `exact` is None for irrational results, whose `approx` is right to about 15 digits.
    `decimals` counts the digits after the point if the text was one plain decimal literal, else None.
    """

    approx: float
    exact: Fraction | None
    decimals: int | None = None

    @property
    def is_integer(self) -> bool:
        return self.exact is not None and self.exact.denominator == 1


_RANGE = re.compile(r"\s*\d+(?:\s*-\s*|\s*to\s*)\d+\s*$")
_PLAIN_DECIMAL = re.compile(r"[-+]?\s*(?:\d{1,3}(?:,\d{3})+|\d*)\.(\d+)$")
_E = Value(math.e, None)
_CONSTANTS = {"π": Value(math.pi, None), "e": _E}
_DEGREE = Value(math.pi / 180, None)
_CALLS: dict[str, Callable[[float], float]] = {
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "cot": lambda x: 1 / math.tan(x),
    "sec": lambda x: 1 / math.cos(x),
    "csc": lambda x: 1 / math.sin(x),
    "arcsin": math.asin,
    "arccos": math.acos,
    "arctan": math.atan,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "exp": math.exp,
    "ln": math.log,
    "lg": math.log10,
}
_NOTHING = 1e-13
"""What floating-point evaluation may leave of a zero, as in sin π."""


def evaluate(text: str) -> Value:
    """The value of a closed form.

    Raises:
        Unreadable: for anything else, for division by zero, and beyond the limits above.
    """
    if len(text) > MAX_LENGTH:
        raise Unreadable("too long")
    if is_range(text):
        raise Unreadable("a range, or a difference that was not worked out")
    value = value_of(parse(text, symbols=False), {})
    if not math.isfinite(value.approx):
        raise Unreadable("too large")
    literal = _PLAIN_DECIMAL.match(text.strip())
    return Value(value.approx, value.exact, len(literal.group(1)) if literal else None)


def is_range(text: str) -> bool:
    """`10-12`, or `10 to 12`, is a range of numbers, or a difference that was not worked out: in neither case -2."""
    return _RANGE.match(text) is not None


def value_of(node: Node, point: Mapping[str, Fraction], inside: bool = False) -> Value:
    """The value of a formula whose symbols have the values of `point`; `inside` a function, a degree is π/180.

    Raises:
        Unreadable: where there is no finite real value, or none within the limits.
    """
    if node.kind == "number":
        return _exact(node.number)
    if node.kind == "symbol":
        return _symbol(node.text, point)
    inside = inside or node.kind == "call"
    parts = [value_of(part, point, inside) for part in node.parts]
    match node.kind:
        case "+":
            return _add(*parts)
        case "*":
            return _multiply(*parts)
        case "/":
            return _divide(*parts)
        case "^":
            return _power(*parts)
        case "negate":
            return _negate(*parts)
        case "root":
            return _root(*parts)
        case "abs":
            return parts[0] if parts[0].approx >= 0 else _negate(parts[0])
        case "!":
            return _factorial(parts[0])
        case "binomial":
            return _binomial(*parts)
        case "degree":
            return _multiply(parts[0], _DEGREE) if inside else parts[0]
        case _:
            return _call(node.text, *parts)


def _symbol(name: str, point: Mapping[str, Fraction]) -> Value:
    if name in point:
        return _exact(point[name])
    if name not in _CONSTANTS:
        raise Unreadable("a variable")
    return _CONSTANTS[name]


def _call(name: str, argument: Value, base: Value | None = None) -> Value:
    try:
        if name == "log":
            value = math.log10(argument.approx) if base is None else math.log(argument.approx, base.approx)
        else:
            value = _CALLS[name](argument.approx)
    except (ValueError, OverflowError, ZeroDivisionError, KeyError):
        raise Unreadable("no real value") from None
    return _exact(Fraction(0)) if abs(value) < _NOTHING and argument.exact is None else _inexact(value)


def _factorial(n: Value) -> Value:
    if n.exact is None or n.exact.denominator != 1 or not 0 <= n.exact <= MAX_FACTORIAL:
        raise Unreadable("a factorial")
    return _exact(Fraction(math.factorial(int(n.exact))))


def _binomial(n: Value, k: Value) -> Value:
    if n.exact is None or k.exact is None or not (n.is_integer and k.is_integer and 0 <= k.exact <= n.exact <= 300):
        raise Unreadable("a binomial coefficient")
    return _exact(Fraction(math.comb(int(n.exact), int(k.exact))))


def _exact(value: Fraction) -> Value:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise Unreadable("too large")
    try:
        return Value(float(value), value)
    except OverflowError:
        # Only on the way: the quotient of two such numbers may be small.
        return Value(math.inf if value > 0 else -math.inf, value)


def _inexact(value: float | complex) -> Value:
    if isinstance(value, complex) or not math.isfinite(value):
        raise Unreadable("not a finite real number")
    return Value(value, None)


def _negate(a: Value) -> Value:
    return Value(-a.approx, None if a.exact is None else -a.exact)


def _add(a: Value, b: Value) -> Value:
    if a.exact is not None and b.exact is not None:
        return _exact(a.exact + b.exact)
    return _inexact(a.approx + b.approx)


def _multiply(a: Value, b: Value) -> Value:
    if a.exact is not None and b.exact is not None:
        return _exact(a.exact * b.exact)
    return _inexact(a.approx * b.approx)


def _divide(a: Value, b: Value) -> Value:
    if b.approx == 0:
        raise Unreadable("division by zero")
    if a.exact is not None and b.exact is not None:
        return _exact(a.exact / b.exact)
    return _inexact(a.approx / b.approx)


def _power(base: Value, exponent: Value) -> Value:
    if base.approx == 0 and exponent.approx <= 0:
        raise Unreadable("zero to the power of zero or less")
    if base.exact is not None and exponent.is_integer and exponent.exact is not None:
        whole = int(exponent.exact)
        size = max(base.exact.numerator.bit_length(), base.exact.denominator.bit_length())
        if size * abs(whole) <= MAX_BITS:
            return _exact(base.exact**whole)
    try:
        return _inexact(base.approx**exponent.approx)
    except OverflowError:
        raise Unreadable("too large") from None


def _root(radicand: Value, degree: Value) -> Value:
    if not degree.is_integer or not 2 <= degree.approx <= 9:
        raise Unreadable("an odd kind of root")
    n = int(degree.approx)
    if radicand.approx < 0 and n % 2 == 0:
        raise Unreadable("an even root of a negative number")
    root = math.copysign(abs(radicand.approx) ** (1 / n), radicand.approx)
    if radicand.exact is not None and radicand.approx < 2**52 and round(root) ** n == radicand.exact:
        return _exact(Fraction(round(root)))
    return _inexact(root)
