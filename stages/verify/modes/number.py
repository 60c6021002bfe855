"""Mode `number`: both sides are one real number, perhaps with a unit.

Whole numbers, fractions and finite decimals must be equal. Rounding is forgiven only where it can be one:

- a decimal gold accepts a longer decimal that rounds to it and differs by at most a thousandth, and, if it has two
  places or more, what no decimal can state in full (`9π`, `2/3`) and rounds to it;
- a gold that no decimal can state in full accepts its correct rounding to three significant digits.
"""

from __future__ import annotations

import re
from fractions import Fraction

from stages.verify.arithmetic import Value
from stages.verify.finding import UNREADABLE, Finding
from stages.verify.notation import plain
from stages.verify.quantity import Quantity, read_quantity

RELATIVE = 1e-9
"""Relative difference that floating-point evaluation may leave between equal closed forms."""
TOLERANCE = 1e-3
"""Relative difference between a rounded gold and a longer decimal; the reference pipeline's, too."""
MIN_PLACES = 2
"""Decimal places that a gold must have to be taken for the rounded value of a closed form."""
MIN_SIGNIFICANT = 3
"""Significant digits that an answer must give of a gold that no decimal can state in full."""

UNKNOWN_UNIT = "a unit that is not known"
"""Why equal numbers are not called equal where one side has a unit and the other has some word."""
CONVERSION = 1e-6
"""Relative difference that the rounded size of a unit may leave."""
_SYMBOL_NAME = re.compile(r"(?:∠|\\angle)?\s?(?:[A-Za-z](?:_\{?\w{1,8}\}?)?|[A-Z]{2,3})")
_CLOCK = re.compile(r"(?:[01]?\d|2[0-4]):[0-5]\d")
_GENERIC = re.compile(r"units?|square unit|cubic unit|unit squared|单位|个单位")
_OPTION_LABEL = re.compile(r"(?:\([A-Ha-h]\)|[A-H][.)])\s+(?=\S)")


def compare(gold: str, answer: str) -> Finding:
    """Says False, not None, as soon as both sides are numbers: nothing else can make unequal numbers equal."""
    wanted = read_quantity(gold)
    if wanted is None:
        return UNREADABLE
    given = read_quantity(answer) or _labelled(answer)
    if given is None:
        return UNREADABLE
    if _CLOCK.fullmatch(gold.strip()) and _CLOCK.fullmatch(answer.strip()) and gold.strip() != answer.strip():
        return Finding(None, "perhaps times of the day")
    return compare_quantities(wanted, given)


def _labelled(answer: str) -> Quantity | None:
    """`(d) 3` where nobody knows the options: the value counts."""
    answer = plain(answer)
    label = _OPTION_LABEL.match(answer)
    return read_quantity(answer[label.end() :]) if label else None


def compare_quantities(wanted: Quantity, given: Quantity) -> Finding:
    """Equality of two numbers with their units."""
    if _names_differ(wanted.name, given.name):
        return Finding(False, f"{given.name} instead of {wanted.name}")
    if dimensions_differ(wanted, given):
        return Finding(False, "another dimension")
    if wanted.unit is not None and given.unit is not None and wanted.unit != given.unit:
        same = _same_after_conversion(wanted, given, given.unit.size / wanted.unit.size)
        return Finding(same, "equal after conversion" if same else "another unit")
    if same_value(wanted.value, given.value):
        if (why := _other_things(wanted, given)) is not None:
            return Finding(None, why)
        return Finding(True, "equal numbers")
    if wanted.percent != given.percent and _same_share(wanted, given):
        return Finding(True, "equal as a share")
    return Finding(False, "different numbers")


def _names_differ(wanted: str, given: str) -> bool:
    """Whether two left sides name different symbols, segments or angles; `AB` is `BA`, and words are not compared."""
    if not (_SYMBOL_NAME.fullmatch(wanted) and _SYMBOL_NAME.fullmatch(given)):
        return False
    one, other = (re.sub(r"\\angle|[∠{}\s]", "", name) for name in (wanted, given))
    return one != other and not (one.isupper() and one == other[::-1])


def dimensions_differ(wanted: Quantity, given: Quantity) -> bool:
    """Whether both sides name a unit, or a percentage and a unit, that measure different things."""
    if (wanted.percent and given.unit is not None) or (given.percent and wanted.unit is not None):
        return True
    if wanted.unit is None or given.unit is None:
        return False
    return not {wanted.unit.dimension, wanted.unit.other} & {given.unit.dimension, given.unit.other} - {""}


def _same_after_conversion(wanted: Quantity, given: Quantity, factor: float) -> bool:
    """Whether the numbers are equal in one unit; of a closed form in the gold, the correct rounding will do."""
    if wanted.unit is not None and given.unit is not None and wanted.unit.dimension != given.unit.dimension:
        # One name of two units: pounds of money, `¥` of two countries.
        return same_value(wanted.value, given.value)
    if _close(wanted.value.approx, given.value.approx * factor, CONVERSION):
        return True
    if wanted.value.exact is None:
        return same_value(Value(wanted.value.approx / factor, None), given.value)
    return given.value.exact is None and same_value(wanted.value, Value(given.value.approx * factor, None))


def _other_things(wanted: Quantity, given: Quantity) -> str | None:
    """What speaks against equal numbers: nouns that differ, or a noun that may be an unknown unit beside a known one."""
    if wanted.noun and given.noun:
        some, more = sorted((set(wanted.noun.split()), set(given.noun.split())), key=len)
        return None if some <= more else "equal numbers of different things"
    if wanted.percent != given.percent and (given.noun if wanted.percent else wanted.noun):
        return "a percentage and a number of things"
    if (wanted.noun and given.unit is not None) or (given.noun and wanted.unit is not None):
        return None if _GENERIC.fullmatch(wanted.noun + given.noun) else UNKNOWN_UNIT
    if given.doubtful and wanted.unit is None:
        return "a letter that may be no unit"
    return None


def same_value(gold: Value, answer: Value) -> bool:
    """Equality of values under the rounding rule above."""
    if gold.exact is not None and gold.exact == answer.exact:
        return True
    if (gold.exact is None or answer.exact is None) and _close(gold.approx, answer.approx, RELATIVE):
        return True
    if gold.decimals is not None and not answer.is_integer and _rounds_to(answer, gold):
        if not _finite_decimal(answer.exact):
            return gold.decimals >= MIN_PLACES
        return _close(gold.approx, answer.approx, TOLERANCE) and (answer.decimals or gold.decimals + 1) > gold.decimals
    if answer.decimals is not None and gold.decimals is None and not _finite_decimal(gold.exact):
        return _significant(answer) >= MIN_SIGNIFICANT and _rounds_to(gold, answer)
    return False


def _rounds_to(precise: Value, rounded: Value) -> bool:
    """Whether `precise` lies within half a unit of the last digit of `rounded`."""
    assert rounded.decimals is not None
    half = 0.5 * 10.0**-rounded.decimals
    return abs(precise.approx - rounded.approx) <= half * (1 + 1e-6)


def _finite_decimal(value: Fraction | None) -> bool:
    if value is None:
        return False
    denominator = value.denominator
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    return denominator == 1


def _significant(value: Value) -> int:
    assert value.exact is not None
    assert value.decimals is not None
    return len(str(abs(round(value.exact * 10**value.decimals))))


def _same_share(wanted: Quantity, given: Quantity) -> bool:
    """`25%` is 0.25."""
    if given.percent:
        return same_value(wanted.value, _hundredth(given.value))
    return same_value(_hundredth(wanted.value), given.value)


def _hundredth(value: Value) -> Value:
    exact = None if value.exact is None else value.exact / 100
    return Value(value.approx / 100, exact, None if value.decimals is None else value.decimals + 2)


def _close(a: float, b: float, relative: float) -> bool:
    return abs(a - b) <= relative * max(abs(a), abs(b))
