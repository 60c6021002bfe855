"""What the golden pairs don't show: the reasons, and the three-valued findings on which the order of modes rests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.verify.modes import anls, choice, date, exact, number, relaxed, text
from stages.verify.modes import list as list_mode


def test_number_is_sure_of_two_numbers_and_silent_otherwise() -> None:
    assert number.compare("59", "58") == (False, "different numbers")
    assert number.compare("59", "x") == (None, "unreadable")
    assert number.compare("red", "58") == (None, "unreadable")
    assert number.compare("5 cm", "5 kg") == (False, "another dimension")
    assert number.compare("5 cm", "50 mm") == (True, "equal after conversion")
    assert number.compare("two dogs", "two cats") == (None, "equal numbers of different things")
    assert number.compare("x = 5", "y = 5") == (False, "y instead of x")


def test_choice_is_sure_of_two_options_and_silent_otherwise() -> None:
    options = ("10", "12", "15")
    assert choice.compare("B", "C", options) == (False, "chose C")
    assert choice.compare("B", "(C) 12", options) == (False, "letter C, but the text of option B")
    assert choice.compare("B", "13", options) == (None, "unreadable")
    assert choice.compare("red", "B", options) == (None, "unreadable")
    assert choice.compare("EACH", "ACEH") == (None, "unreadable")
    assert choice.compare("BD", "DB") == (True, "chose BD")


def test_text_is_sure_of_yes_and_no_only() -> None:
    assert text.compare("no", "yes") == (False, "says yes")
    assert text.compare("red", "blue") == (None, "different text")
    assert text.compare("[0, 1)", "(0, 1)") == (None, "unreadable")
    assert text.compare("infinity", "\\infty").equal is None


def test_exact_never_says_no() -> None:
    assert exact.compare("a", "b").equal is None
    assert exact.compare("", "").equal is None


def test_exact_heeds_case_and_no_space() -> None:
    assert exact.compare("A b", "A  b.").equal is True
    assert exact.compare("Ab", "ab").equal is None


def test_half_of_the_letters_are_not_enough_for_anls() -> None:
    assert anls.compare("abcd", "abxy") == (False, "normalised distance 0.50")
    assert anls.compare("abcde", "abcxy") == (True, "normalised distance 0.40")
    assert anls.compare("in 2018", "in 2019") == (False, "other digits")


def test_list_needs_two_items() -> None:
    assert list_mode.compare("59", "59").equal is None
    assert list_mode.read_list("1,234, (2, 3) and x") == ("", ["1,234", "(2, 3)", "x"])
    assert list_mode.read_list("1,234") == ("", ["1,234"])


@pytest.mark.parametrize(
    ("written", "date_or_none"),
    [
        ("2020-03-05", (2020, 3, 5)),
        ("5th of march, 2020", (2020, 3, 5)),
        ("march 5", (None, 3, 5)),
        ("sept. 2020", (2020, 9, None)),
        ("2020年3月5日", (2020, 3, 5)),
        ("25/12/2020", (2020, 12, 25)),
        ("2020-13-05", None),
        ("32 march 2020", None),
        ("2020", None),
    ],
)
def test_dates(written: str, date_or_none: tuple[int | None, ...] | None) -> None:
    assert date.dates_in(written) == (frozenset() if date_or_none is None else {date_or_none})


def test_an_ambiguous_date_has_two_readings() -> None:
    assert date.dates_in("03/04/2020") == {(2020, 3, 4), (2020, 4, 3)}


def test_two_ambiguous_dates_are_read_in_one_order() -> None:
    assert date.compare("03/05/2020", "05/03/2020").equal is False
    assert date.compare("03/05/2020", "3-5-2020").equal is True
    assert date.compare("13/05/2020", "05/13/2020").equal is True


def test_relaxed_reads_texts_too() -> None:
    assert relaxed.compare("Yes", "yes").equal is True
    assert relaxed.compare("100", "red").equal is None


@given(st.text(alphabet="abc", max_size=8), st.text(alphabet="abc", max_size=8), st.text(alphabet="abc", max_size=8))
def test_distance_is_a_metric(a: str, b: str, c: str) -> None:
    assert (anls.distance(a, b) == 0) == (a == b)
    assert anls.distance(a, b) == anls.distance(b, a)
    assert anls.distance(a, c) <= anls.distance(a, b) + anls.distance(b, c)
    assert abs(len(a) - len(b)) <= anls.distance(a, b) <= max(len(a), len(b))
