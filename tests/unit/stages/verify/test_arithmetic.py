from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.verify.arithmetic import MAX_BITS, Unreadable, evaluate


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-3", Fraction(-3)),
        ("1,234.5", Fraction(2469, 2)),
        (".5", Fraction(1, 2)),
        ("5.", Fraction(5)),
        (r"\frac{3}{7}", Fraction(3, 7)),
        (r"\frac12", Fraction(1, 2)),
        (r"\frac{9}4", Fraction(9, 4)),
        (r"1\frac{1}{2}", Fraction(3, 2)),
        ("1 1/2", Fraction(3, 2)),
        (r"-1\frac{1}{2}", Fraction(-3, 2)),
        ("3/4/5", Fraction(3, 20)),
        ("2(3+4)", Fraction(14)),
        ("2^10", Fraction(1024)),
        ("-2^2", Fraction(-4)),
        ("2**3", Fraction(8)),
        ("1e-3", Fraction(1, 1000)),
        (r"1.5 \times 10^{-3}", Fraction(3, 2000)),
        ("1.5 x 10^3", Fraction(1500)),
        (r"0.\overline{3}", Fraction(1, 3)),
        (r"0.1\overline{6}", Fraction(1, 6)),
        (r"\sqrt[3]{8}", Fraction(2)),
        ("√9", Fraction(3)),
        ("6 ÷ 4", Fraction(3, 2)),
        ("5!", Fraction(120)),
        (r"\binom{5}{2}", Fraction(10)),
        ("|3-5|", Fraction(2)),
        (r"\sin \pi", Fraction(0)),
    ],
)
def test_exact_values(text: str, value: Fraction) -> None:
    assert evaluate(text).exact == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"2\sqrt{3}/5", 2 * math.sqrt(3) / 5),
        (r"65\pi", 65 * math.pi),
        ("2√3", 2 * math.sqrt(3)),
        (r"\sqrt 2+\sqrt 5", math.sqrt(2) + math.sqrt(5)),
        ("sqrt(3)/2", math.sqrt(3) / 2),
        ("4 * pi", 4 * math.pi),
        ("2^0.5", math.sqrt(2)),
        ("e", math.e),
        ("1-e^{-2}", 1 - math.exp(-2)),
        (r"\frac{\ln 2}{3}", math.log(2) / 3),
        (r"20\sin 40^\circ", 20 * math.sin(math.radians(40))),
        (r"\cos^{-1}(0.6)", math.acos(0.6)),
        (r"\sin^2 1", math.sin(1) ** 2),
        (r"\log 2", math.log10(2)),
        (r"\log_3 7", math.log(7, 3)),
    ],
)
def test_irrational_values(text: str, value: float) -> None:
    found = evaluate(text)
    assert found.exact is None
    assert math.isclose(found.approx, value, rel_tol=1e-14)


@pytest.mark.parametrize(
    "text",
    ["", "x", "2x", "2.5!", "300!", "1 2", "1,2", "12,34", "0,111", "3-5", "- -3", "1/0", "0^0", "10^400", "9^9^9^9", "√-1",
     "(1", "1)", "()", "E", "2y", "5i", "\\ln 0", "\\arcsin 2", "f(2)", "nan", "inf", "9" * 61,
     "(" * 20 + "1" + ")" * 20, "1+" * 150 + "1", "\\frac{1}", "1%"],
)  # fmt: skip
def test_what_is_no_closed_form(text: str) -> None:
    with pytest.raises(Unreadable):
        evaluate(text)


NUMBERS = st.integers(0, 10**6)
EXPRESSIONS = st.recursive(
    NUMBERS.map(lambda n: (str(n), Fraction(n))),
    lambda inner: (
        st.tuples(inner, st.sampled_from("+-*/"), inner)
        .filter(lambda parts: parts[1] != "/" or parts[2][1] != 0)
        .map(lambda parts: (f"({parts[0][0]}){parts[1]}({parts[2][0]})", _apply(parts[0][1], parts[1], parts[2][1])))
    ),
    max_leaves=8,
)


def _apply(a: Fraction, sign: str, b: Fraction) -> Fraction:
    return {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else a}[sign]


@given(EXPRESSIONS)
def test_agrees_with_python(expression: tuple[str, Fraction]) -> None:
    text, value = expression
    if len(text) <= 200:
        assert evaluate(text).exact == value


@given(st.text(alphabet="0123456789.,+-*/^(){}[]√π \\fracsqrtpix", max_size=200))
def test_any_text_is_a_bounded_number_or_unreadable(text: str) -> None:
    try:
        value = evaluate(text)
    except Unreadable:
        return
    assert math.isfinite(value.approx)
    if value.exact is not None:
        assert max(value.exact.numerator.bit_length(), value.exact.denominator.bit_length()) <= MAX_BITS
