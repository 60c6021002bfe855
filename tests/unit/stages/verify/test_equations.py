"""Which answers are equations of numbers that do not hold, and what becomes of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.verify import judge
from stages.verify.equations import fails

MODES = ("choice", "number", "math", "text")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("7 × 5 = 3", "7 × 5 is not 3"),
        ("$7 \\times 5 = 3$", "7 \\times 5 is not 3"),
        ("7*5=36", "7*5 is not 36"),
        ("2 + 2 = 5 cm", "2 + 2 is not 5 cm"),
        ("3 + 4 = 8 cm", "3 + 4 is not 8 cm"),
        ("12 = 13", "12 is not 13"),
        ("35 = 35.2", "35 is not 35.2"),
        ("20/4 = 6", "20/4 is not 6"),
        ("3 cm = 4 cm", "3 cm is not 4 cm"),
        ("15/20 = 80%", "15/20 is not 80%"),
        ("\\sqrt{2} = 2.41", "\\sqrt{2} is not 2.41"),
        ("2 + 3 = 5 = 7", "5 is not 7"),
        ("7 × 5 = 35", None),
        ("x = 5", None),
        ("x = 7 × 5 = 3", None),
        ("\\frac{1}{2} \\$ = \\frac{10}{9}", None),
        ("x = 2y = 10", None),
        ("= 5", None),
        ("2/3 = 0.67", None),
        ("2/3 = 0.66", None),
        ("0.67 = 2/3", None),
        ("200/3 = 67", None),
        ("\\sqrt{50} = 7", None),
        ("1/8 = 0.13", None),
        ("9\\pi = 28.27", None),
        ("15/20 = 75%", None),
        ("75 = 75%", None),
        ("2 hours = 120 minutes", None),
        ("3/4 = 45 minutes", None),
        ("0.5 = 30 minutes", None),
        ("24 × 7 = 168 hours", None),
        ("3 apples = 5 pears", None),
        ("n = 12", None),
        ("f(2) = 7", None),
        ("2x + 3 = 7", None),
        ("7 × 5 ≠ 3", None),
        ("7 × 5 >= 3", None),
        ("12", None),
    ],
)
def test_which_equations_fail(answer: str, why: str | None) -> None:
    assert fails(answer) == why


@given(st.integers(-999, 999), st.integers(1, 99), st.integers(-9999, 9999))
def test_of_whole_numbers_only_what_is_equal_holds(a: int, b: int, c: int) -> None:
    assert (fails(f"{a} + {b} = {c}") is None) == (a + b == c)
    assert (fails(f"{a} * {b} = {c}") is None) == (a * b == c)


@pytest.mark.parametrize(
    ("gold", "answer", "options", "status"),
    [
        ("C", "7 × 5 = 3", ("35", "12", "3"), "incorrect"),
        ("A", "7 × 5 = 35", ("35", "12", "3"), "correct"),
        ("3", "7 × 5 = 3", (), "incorrect"),
        ("3 cm", "7 \\times 5 = 3\\text{ cm}", (), "incorrect"),
        ("x = 3", "7 × 5 = 3", (), "incorrect"),
        ("9", "5 + 3 = 9", (), "incorrect"),
        ("8", "total = 5 + 3 = 8", (), "correct"),
        # What is asked for is the equation that is false.
        ("B", "7 × 5 = 3", ("2 + 2 = 4", "7 × 5 = 3"), "correct"),
        ("7 × 5 = 3", "7×5=3", (), "correct"),
        ("A", "7 × 5 = 3", ("2 + 2 = 4", "7 × 5 = 3"), "incorrect"),
        # The letter is the answer.
        ("C", "C", ("35", "12", "3"), "correct"),
    ],
)
def test_no_side_of_a_false_equation_is_the_answer(
    gold: str, answer: str, options: tuple[str, ...], status: str
) -> None:
    for form in ("\\boxed{%s}", "Final answer: %s", "%s"):
        assert judge(gold, form % answer, MODES, options).status == status, form


def test_the_reason_says_what_does_not_hold() -> None:
    verdict = judge("3", "Final answer: 7 × 5 = 3", MODES)
    assert (verdict.answer, verdict.mode) == ("7 × 5 = 3", None)
    assert verdict.reason == "an equation that does not hold: 7 × 5 is not 3"
