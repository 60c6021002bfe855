from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.verify.quantity import MAX_LENGTH, read_quantity
from stages.verify.units import parse_unit


@pytest.mark.parametrize(
    ("text", "value", "dimension"),
    [
        ("AB = 12 cm", 12, "length"),
        ("x = 2 + 3 = 5", 5, None),
        ("AB = 1.8 * BC / 1.5 = 10.8", Fraction(54, 5), None),
        ("about $1,200", 1200, "money"),
        ("-$5", -5, "money"),
        ("$65.63", Fraction(6563, 100), "money"),
        ("$12$ cm", 12, "length"),
        ("3.5 million people", 3_500_000, None),
        ("21 cm^2", 21, "length^2"),
        (r"21\ \mathrm{cm}^{2}", 21, "length^2"),
        ("21 (cm²)", 21, "length^2"),
        ("98 square units", 98, None),
        ("69{degrees}", 69, "angle"),
        (r"60^{\circ}", 60, "angle"),
        ("100 km per hour", 100, "length time^-1"),
        ("10.2米", Fraction(51, 5), "length"),
        ("Twenty-five apples", 25, None),
        ("1/3 ≈ 0.33", Fraction(1, 3), None),
        ("12 (approximately)", 12, None),
        ("2:3", Fraction(2, 3), None),
        ("f(2) = 3", 3, None),
    ],
)
def test_reads(text: str, value: Fraction | int, dimension: str | None) -> None:
    found = read_quantity(text)
    assert found is not None
    assert found.value.exact == value
    assert (found.unit.dimension if found.unit else None) == dimension


@pytest.mark.parametrize(
    "text",
    ["", "red", "5 or 6", "5 and 3 apples", "5x", "5i", "K12", "7th", "2x + z = 1", "1,2", "10-12", "4:30 p.m.", "not 5", "5 pm",
     "x > 5", "5 to 10", "half of 5", "12 squared", "x=2, y=3", "5 " + "a" * MAX_LENGTH],
)  # fmt: skip
def test_what_states_no_number(text: str) -> None:
    assert read_quantity(text) is None


def test_percent_and_name_are_kept() -> None:
    found = read_quantity("x = 25%")
    assert found is not None
    assert (found.percent, found.name) == (True, "x")


@pytest.mark.parametrize(
    ("text", "dimension", "size"),
    [("cm", "length", 0.01), ("square meters", "length^2", 1.0), ("cm^{2}", "length^2", 0.0001), ("m/s", "length time^-1", 1.0),
     ("km per hour", "length time^-1", 1000 / 3600), ("minutes", "time", 60.0), ("feet", "length", 0.3048)],
)  # fmt: skip
def test_units(text: str, dimension: str, size: float) -> None:
    unit = parse_unit(text)
    assert unit is not None
    assert unit.dimension == dimension
    assert unit.size == pytest.approx(size)


@pytest.mark.parametrize("text", ["", "apples", "x", "cm^5", "cmcm", "pm", "m per apple"])
def test_what_is_no_unit(text: str) -> None:
    assert parse_unit(text) is None


@given(st.text(st.characters() | st.sampled_from("0123456789.,%$/-=e^×·√ "), max_size=MAX_LENGTH + 10))
def test_what_is_read_in_any_text_is_a_number(text: str) -> None:
    found = read_quantity(text)
    if found is not None:
        assert len(text) <= MAX_LENGTH
        assert math.isfinite(found.value.approx)
        if found.value.exact is not None:
            assert found.value.approx == pytest.approx(float(found.value.exact))


@given(st.integers(-(10**9), 10**9), st.integers(0, 6), st.sampled_from(["", " cm", "%", " apples"]))
def test_a_written_decimal_is_read_as_written(digits: int, places: int, after: str) -> None:
    value = Fraction(digits, 10**places)
    found = read_quantity(
        f"{'-' if digits < 0 else ''}{abs(digits) // 10**places}"
        f"{f'.{abs(digits) % 10**places:0{places}}' if places else ''}{after}"
    )
    assert found is not None
    assert found.value.exact == value


@pytest.mark.parametrize(
    ("one", "other"),
    [("kJ", "N m"), ("V/m", "N/C"), ("kg m^2 s^{-2}", "J"), ("μF", "\\mu F"), ("mph", "miles per hour"), ("L", "dm^3"),
     ("Pa", "N/m^2"), ("千米", "km"), ("sq ft", "square feet"), ("J/kg·K", "J/(kg K)"), ("mm Hg", "torr")],
)  # fmt: skip
def test_units_of_one_dimension(one: str, other: str) -> None:
    first, second = parse_unit(one), parse_unit(other)
    assert first is not None
    assert second is not None
    assert first.dimension == second.dimension


@pytest.mark.parametrize(
    ("small", "large", "times"),
    [("mV", "V", 1e3), ("W", "MW", 1e6), ("mW", "MW", 1e9), ("nm", "m", 1e9), ("Hz", "GHz", 1e9), ("mmol", "mol", 1e3),
     ("m^2", "ha", 1e4), ("g", "kg", 1e3), ("ml", "L", 1e3), ("cents", "dollars", 100)],
)  # fmt: skip
def test_prefixes_and_sizes(small: str, large: str, times: float) -> None:
    first, second = parse_unit(small), parse_unit(large)
    assert first is not None
    assert second is not None
    assert second.size / first.size == pytest.approx(times)
    assert first.dimension == second.dimension


@pytest.mark.parametrize(
    ("text", "value"),
    [("12K", 12_000), ("$3.5M", 3_500_000), ("2bn", 2 * 10**9), ("10 000", 10_000), ("1'234'567", 1_234_567),
     ("1 234 567", 1_234_567), ("2 hours 30 minutes", Fraction(5, 2)), ("5 ft 6 in", Fraction(11, 2)),
     ("three eighths", Fraction(3, 8)), ("minus 5", -5),
     ("x = 3, since x > 0", 3), ("seven (7)", 7)],
)  # fmt: skip
def test_reads_the_value(text: str, value: Fraction | int) -> None:
    found = read_quantity(text)
    assert found is not None
    assert found.value.exact == value


@pytest.mark.parametrize(
    "text", ["6 of 10", "two times three", "3-fold", "three and above", "5B6", "two five", "3 and 4 hundredths"]
)
def test_what_another_number_is_left_over_of(text: str) -> None:
    assert read_quantity(text) is None
