from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.verify.words import NUMBER_WORDS, read_words


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("seven", 7),
        ("forty-two", 42),
        ("three hundred and six", 306),
        ("twelve hundred", 1200),
        ("two thousand five hundred", 2500),
        ("a million", 10**6),
        ("half a dozen", 6),
        ("minus 5", -5),
        ("negative seven", -7),
        ("two point five", Fraction(5, 2)),
        ("three eighths", Fraction(3, 8)),
        ("3 eighths", Fraction(3, 8)),
        ("one third", Fraction(1, 3)),
        ("a quarter", Fraction(1, 4)),
        ("one and a half", Fraction(3, 2)),
        ("two and three quarters", Fraction(11, 4)),
        ("6 out of 10", Fraction(3, 5)),
        ("one in six", Fraction(1, 6)),
    ],
)
def test_reads(text: str, value: Fraction | int) -> None:
    found = read_words(text)
    assert found == (value, len(text))


@pytest.mark.parametrize("text", ["", "5", "third", "two five", "five twenty", "red", "5 apples", "12 / 5", "a", "and"])
def test_no_number_in_words(text: str) -> None:
    assert read_words(text) is None


@given(st.integers(1, 9), st.sampled_from([word for word, number in NUMBER_WORDS.items() if number < 100]))
def test_hundreds_add_up(hundreds: int, rest: str) -> None:
    name = next(word for word, number in NUMBER_WORDS.items() if number == hundreds)
    found = read_words(f"{name} hundred {rest}")
    assert found is not None
    assert found[0] == 100 * hundreds + NUMBER_WORDS[rest]


@given(st.text(max_size=80))
def test_any_text(text: str) -> None:
    found = read_words(text)
    assert found is None or 0 < found[1] <= len(text)
