"""A number with the range that it may lie in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Amount:
    """`low ≤ middle ≤ high`. Sums and products take the ends together, which errs towards wide ranges."""

    low: float
    middle: float
    high: float

    @classmethod
    def exact(cls, value: float) -> Amount:
        return cls(value, value, value)

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.low + other.low, self.middle + other.middle, self.high + other.high)

    def __mul__(self, other: Amount | float) -> Amount:
        """Of amounts that are not negative."""
        factor = other if isinstance(other, Amount) else Amount.exact(other)
        return Amount(self.low * factor.low, self.middle * factor.middle, self.high * factor.high)

    def __truediv__(self, other: Amount) -> Amount:
        return Amount(self.low / other.high, self.middle / other.middle, self.high / other.low)


ZERO = Amount.exact(0)


def mean(values: list[float]) -> Amount:
    """The mean of a random sample, with its 90 % interval (normal approximation)."""
    count = len(values)
    middle = sum(values) / count
    if count == 1:
        return Amount.exact(middle)
    variance = sum((value - middle) ** 2 for value in values) / (count - 1)
    error = 1.645 * (variance / count) ** 0.5
    return Amount(max(0.0, middle - error), middle, middle + error)
