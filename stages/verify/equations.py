"""Answers that are an equation of numbers which does not hold, as `7 × 5 = 3`: no side of it is the answer.

Roundings (`2/3 = 0.67`, `√50 = 7`), shares (`15/20 = 75%`) and conversions (`2 hours = 120 minutes`) hold; and
`x = 7 × 5 = 3` says what x is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from stages.verify.arithmetic import Value
from stages.verify.notation import plain
from stages.verify.quantity import EQUALS, MAX_LENGTH, MAX_SIDES, Quantity, read_quantity

FLOATING = 1e-6
"""Relative difference that is none, of numbers without a last digit."""
_WORKED = re.compile(r"[\d)}]\s?(?:[-+*×·]|\\times|\\cdot|[xX](?=\s?\d))")
"""A side that is to be worked out, and no number or fraction of another unit: `3/4 = 45 minutes` of an hour."""
_PAID = re.compile(r"\d[})]*\s?\$$")
"""`½ $`, whose sign would be taken for the end of a formula."""


def fails(answer: str, others: Sequence[str] = ()) -> str | None:
    """Why an answer that is an equation cannot be taken; None if it holds, or is none of numbers.

    Args:
        others: the gold and the options. Where one of these does not hold either, false equations are what is asked for.
    """
    why = _why(answer)
    return None if why is None or any(_why(other) for other in others) else why


def _why(text: str) -> str | None:
    if "=" not in text or len(text) > MAX_LENGTH:
        return None
    sides = [side.strip() for side in EQUALS.split(plain(text))]
    if len(sides) > MAX_SIDES or any(_PAID.search(side) for side in sides):
        return None
    read = [(side, found) for side in sides if (found := read_quantity(side)) is not None]
    if len(read) < len(sides):
        return None
    for (left, one), (right, other) in pairwise(read):
        if _differ(left, one, other):
            return f"{left} is not {right}"[:80]
    return None


def _differ(left: str, one: Quantity, other: Quantity) -> bool:
    """Whether two sides are certainly different numbers; what can't be compared is not."""
    if one.noun or other.noun or one.doubtful or other.doubtful:
        return False
    if one.unit != other.unit and not (one.unit is None and _WORKED.search(left)):
        return False
    if one.percent != other.percent:
        share, whole = (one, other) if one.percent else (other, one)
        return not (_near(share.value, whole.value) or _near(_hundredth(share.value), whole.value))
    return not _near(one.value, other.value)


def _near(a: Value, b: Value) -> bool:
    """Whether two numbers are equal, or one is the other cut or rounded to its last digit."""
    if a.exact is not None and a.exact == b.exact:
        return True
    if _rounds(a, b) or (a.decimals is not None and _rounds(b, a)):
        return True
    return abs(a.approx - b.approx) <= FLOATING * max(abs(a.approx), abs(b.approx))


def _rounds(precise: Value, rounded: Value) -> bool:
    places = rounded.decimals if rounded.decimals is not None else 0 if rounded.is_integer else None
    if places is None or (precise.exact is not None and (precise.exact * 10**places).denominator == 1):
        return False  # with so few digits it could be said exactly
    return abs(precise.approx - rounded.approx) < 10.0**-places


def _hundredth(value: Value) -> Value:
    exact = None if value.exact is None else value.exact * Fraction(1, 100)
    return Value(value.approx / 100, exact, None if value.decimals is None else value.decimals + 2)
