r"""A bounded evaluator for the closed forms that answers are made of: `-3`, `1,234.5`, `2\sqrt{3}/5`, `65\pi`.

No variables, no functions but the square and n-th root, no factorials: what it can't read goes to sympy in
a process of its own. Length, depth and the size of every number are bounded, so it is safe on any input.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

MAX_LENGTH = 200
"""Characters of an expression."""
MAX_DIGITS = 60
"""Digits of one number literal."""
MAX_DEPTH = 16
"""Nested groups."""
MAX_EXPONENT = 64
"""Largest whole exponent that is worked out exactly."""
MAX_BITS = 4096
"""Size of an exact numerator or denominator."""


class Unreadable(ValueError):
    """Not a closed form that this module knows."""


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


_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?(?!\d|,\d) | \d+\.\d+ | \.\d+ | \d+\.(?!\d) | \d+ )
    | (?P<repeat>\\overline\{\d{1,12}\})
    | (?P<frac>\\frac)
    | (?P<sqrt>\\sqrt|√|sqrt(?=[\s({]))
    | (?P<pi>\\pi(?![A-Za-z])|π|pi(?![A-Za-z]))
    | (?P<op>\*\*|\\times(?![A-Za-z])|\\cdot(?![A-Za-z])|\\div(?![A-Za-z])|×|÷|·|∙|⋅|[-+*/^(){}\[\]])
    | (?P<by>[xX](?=\s*\d))
    )""",
    re.VERBOSE,
)
_OPERATOR = {
    "\\times": "*",
    "×": "*",
    "\\cdot": "*",
    "·": "*",
    "∙": "*",
    "⋅": "*",
    "÷": "/",
    "\\div": "/",
    "**": "^",
}
_RANGE = re.compile(r"\s*\d+\s*-\s*\d+\s*$")
_PLAIN_DECIMAL = re.compile(r"[-+]?\s*(?:\d{1,3}(?:,\d{3})+|\d*)\.(\d+)$")
_EXPONENT = re.compile(r"(?<=[\d.])[eE]([-+]?\d{1,3})(?![\dA-Za-z.])")
_CLOSING = {"(": ")", "{": "}", "[": "]"}


def evaluate(text: str) -> Value:
    """The value of a closed form.

    Raises:
        Unreadable: for anything else, for division by zero, and beyond the limits above.
    """
    if len(text) > MAX_LENGTH:
        raise Unreadable("too long")
    if is_range(text):
        raise Unreadable("a range, or a difference that was not worked out")
    value = _Parser(_tokens(_EXPONENT.sub(r"*10^{\1}", text))).parse()
    literal = _PLAIN_DECIMAL.match(text.strip())
    return Value(value.approx, value.exact, len(literal.group(1)) if literal else None)


def is_range(text: str) -> bool:
    """`10-12` is a range of numbers, or a difference that was not worked out: in neither case -2."""
    return _RANGE.match(text) is not None


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise Unreadable(f"unknown sign at {position}")
        kind, token = match.lastgroup, match.group(match.lastgroup)
        if kind == "by":
            if not tokens or tokens[-1][0] not in ("number", "close"):
                raise Unreadable("a variable")
            kind, token = "op", "*"
        elif kind == "op":
            token = _OPERATOR.get(token, token)
            kind = "close" if token in ")}]" else "op"
        tokens.append((kind, token))
        position = match.end()
    return tokens


def _exact(value: Fraction) -> Value:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise Unreadable("too large")
    try:
        return Value(float(value), value)
    except OverflowError:
        raise Unreadable("too large") from None


def _inexact(value: float | complex) -> Value:
    if isinstance(value, complex) or not math.isfinite(value):
        raise Unreadable("not a finite real number")
    return Value(value, None)


class _Parser:
    """Recursive descent over `sum > product > signed > power > atom`; products may leave out the sign."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens
        self.index = 0
        self.depth = 0

    def parse(self) -> Value:
        value = self.sum()
        if self.index != len(self.tokens):
            raise Unreadable("leftover")
        return value

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.index] if self.index < len(self.tokens) else ("end", "")

    def take(self) -> tuple[str, str]:
        token = self.peek()
        self.index += 1
        return token

    def accept(self, sign: str) -> bool:
        if self.peek()[1] == sign:
            self.index += 1
            return True
        return False

    def sum(self) -> Value:
        value = self.product()
        while (sign := self.peek()[1]) in ("+", "-") and sign:
            self.take()
            other = self.product()
            value = _add(value, other if sign == "+" else _negate(other))
        return value

    def product(self) -> Value:
        value = self.signed()
        whole = self.tokens[self.index - 1][0] == "number" and value.is_integer
        while True:
            kind, token = self.peek()
            if token in ("*", "/"):
                self.take()
                other = self.signed()
                value = _multiply(value, other) if token == "*" else _divide(value, other)
            elif kind == "frac":
                value = self.mixed(value) if whole else _multiply(value, self.power())
            elif kind in ("pi", "sqrt") or token in ("(", "{", "["):
                value = _multiply(value, self.power())
            elif whole and kind == "number":
                value = self.mixed(value)
            else:
                return value
            whole = False

    def mixed(self, whole: Value) -> Value:
        r"""`1\frac{1}{2}` or `1 1/2`: a whole number and a proper fraction side by side are added."""
        if self.peek()[0] == "frac":
            part = self.power()
        else:
            top = self.atom()
            if not self.accept("/"):
                raise Unreadable("two numbers side by side")
            part = _divide(top, self.atom())
        if part.exact is None or not 0 < part.exact < 1 or part.exact.denominator > 10**6:
            raise Unreadable("two numbers side by side")
        return _add(whole, part if whole.approx >= 0 else _negate(part))

    def signed(self) -> Value:
        if self.accept("-"):
            return _negate(self.signed_again())
        if self.accept("+"):
            return self.signed_again()
        return self.power()

    def signed_again(self) -> Value:
        if self.peek()[1] in ("+", "-"):
            raise Unreadable("two signs in a row")
        return self.power()

    def power(self) -> Value:
        base = self.atom()
        if self.accept("^"):
            return _power(base, self.signed())
        return base

    def atom(self) -> Value:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unreadable("nested too deeply")
        try:
            return self.atom_inside()
        finally:
            self.depth -= 1

    def atom_inside(self) -> Value:
        kind, token = self.take()
        if kind == "number":
            return self.number(token)
        if kind == "pi":
            return Value(math.pi, None)
        if kind == "frac":
            return _divide(self.argument(), self.argument())
        if kind == "sqrt":
            degree = Value(2.0, Fraction(2))
            if self.peek()[1] == "[":
                degree = self.group()
            return _root(self.argument(), degree)
        if token in _CLOSING:
            self.index -= 1
            return self.group()
        raise Unreadable("a value is missing")

    def number(self, token: str) -> Value:
        if len(token) > MAX_DIGITS:
            raise Unreadable("too many digits")
        value = Fraction(token.replace(",", "").rstrip("."))
        if self.peek()[0] == "repeat" and "." in token:
            period = self.take()[1][len("\\overline{") : -1]
            places = len(token.partition(".")[2])
            value += Fraction(int(period), (10 ** len(period) - 1) * 10**places)
        return _exact(value)

    def group(self) -> Value:
        closing = _CLOSING[self.take()[1]]
        value = self.sum()
        if not self.accept(closing):
            raise Unreadable("an unclosed group")
        return value

    def argument(self) -> Value:
        r"""What `\frac` and `\sqrt` take: a group, or one sign, as in `\frac12` and `√3`."""
        kind, token = self.peek()
        if kind == "number" and len(token) == 2 and self.tokens[self.index - 1][0] == "frac" and token.isdigit():
            self.tokens[self.index : self.index + 1] = [("number", token[0]), ("number", token[1])]
        return self.atom()


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
        if abs(whole) <= MAX_EXPONENT:
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
