"""Mode `relaxed`: ChartQA's rule for values read off a chart, 5 % of the gold (arXiv 2203.10244, section 5.1).

Three departures, all towards fewer false accepts: years must be equal (5 % of 2019 is a century), so must dates and
times of the day, and a percentage may be stated as a share or the other way round, but not mixed up by any other power
of ten.
"""

from __future__ import annotations

from stages.verify.finding import UNREADABLE, Finding
from stages.verify.modes import date, number, text
from stages.verify.quantity import Quantity, read_quantity

TOLERANCE = 0.05
"""Relative to the gold."""
YEARS = range(1800, 2101)
"""Whole numbers without a unit that are taken for years."""


def compare(gold: str, answer: str) -> Finding:
    """Numbers within the tolerance; dates and times as in mode `date`, texts as in mode `text`."""
    wanted, given = read_quantity(gold), read_quantity(answer)
    if wanted is not None and given is not None and number.compare_quantities(wanted, given).equal:
        return Finding(True, "equal numbers")
    if (dated := date.compare(gold, answer)).equal is not None:
        return dated
    if wanted is None or given is None:
        return UNREADABLE if wanted is not None else text.compare(gold, answer)
    target, value = wanted.value.approx, given.value.approx
    if _is_year(wanted) or target == 0 or number.dimensions_differ(wanted, given):
        return Finding(False, "must be equal, and is not")
    values = [value]
    if given.percent and not wanted.percent:
        values.append(value / 100)
    if wanted.percent and not given.percent:
        values.append(value * 100)
    near = any(abs(value - target) <= TOLERANCE * abs(target) for value in values)
    return Finding(near, "within 5 %" if near else "more than 5 % off")


def _is_year(quantity: Quantity) -> bool:
    exact = quantity.value.exact
    plain = quantity.unit is None and not quantity.percent
    return plain and exact is not None and exact.denominator == 1 and int(exact) in YEARS
