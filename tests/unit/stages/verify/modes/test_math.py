from __future__ import annotations

import pytest

from stages.verify.guards import MAX_LENGTH, refusal
from stages.verify.modes import math


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("x^2+1", "1+x^2"),
        ("(x-1)(x+2)", "x^2+x-2"),
        ("\\sin 2x", "2\\sin x\\cos x"),
        ("-793 < a < 10", "(-793, 10)"),
        ("x \\neq 5", "x != 5"),
        ("\\{1,2\\}", "\\{2,1\\}"),
        ("x=1 \\text{ and } y=2", "(1,2)"),
        ("21,16 or 11", "11, 16, 21"),
    ],
)
def test_equal(gold: str, answer: str) -> None:
    assert math.compare(gold, answer).equal is True


@pytest.mark.parametrize(
    ("gold", "answer", "why"),
    [
        ("2x", "2X", "math-verify ignores case in some names"),
        ("x=2, y=3", "(3,2)", "math-verify compares assignments without order"),
        ("5", "2x + z = 5", "math-verify takes the right side of any equation"),
        ("1 - \\frac{1}{e}", "1 + \\frac{1}{e}", "a match that math-verify's own tests record"),
        ("(1,2)", "[1,2]", ""),
        ("\\pm 2", "2", ""),
    ],
)
def test_not_equal(gold: str, answer: str, why: str) -> None:
    assert not math.compare(gold, answer).equal, why


@pytest.mark.parametrize("text", ["", "red cube", "K12", "7th", "10-12", "5 th", "解为 5"])
def test_what_is_no_expression(text: str) -> None:
    assert math.compare("5", text).equal is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x" * (MAX_LENGTH + 1), "too long"),
        ("__import__('os')", "looks like code"),
        ("\\input{a}", "looks like code"),
        ("((((((((1))))))))", "nested too deeply"),
        ("{" * 20 + "}" * 20, "nested too deeply"),
        ("9" * 31, "too many digits"),
        ("9^9^9", "powers of powers"),
        ("2^{2^{2}}", "powers of powers"),
        ("a^1+b^1+c^1+d^1+e^1+f^1+g^1", "powers of powers"),
        ("x^{101}", "too large a power"),
        ("\\sum_{i=1}^{9} i", "an operator that is expensive to work out"),
        ("51!", "too large a factorial"),
        ("5!!", "too large a factorial"),
        ("\\binom{99}{9}", "too large a factorial"),
    ],
)
def test_refused(text: str, why: str) -> None:
    assert refusal(text) == why


@pytest.mark.parametrize(
    "text", ["\\frac{x^{99}}{\\sqrt{1+x^{2}}}", "5!", "\\binom{5}{2}", "\\sin^2 x + \\cos^2 x", "[0, \\infty)"]
)
def test_not_refused(text: str) -> None:
    assert refusal(text) is None
