from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import GoldReading
from stages.verify.golds import READINGS, count_golds, read_gold, spelled
from stages.verify.modes.choice import gold_options
from stages.verify.options import canonical

FRUIT = ("apple", "pear", "plum")
Row = tuple[str, tuple[str, ...]]


@pytest.mark.parametrize(
    ("gold", "options", "letter", "text", "index0", "index1"),
    [
        ("B", FRUIT, 1, None, None, None),
        ("(b)", FRUIT, 1, None, None, None),
        ("B. pear", FRUIT, 1, None, None, None),
        ("Pear", FRUIT, None, 1, None, None),
        ("E", FRUIT, None, None, None, None),
        ("banana", FRUIT, None, None, None, None),
        ("0", FRUIT, None, None, 0, None),
        ("2", FRUIT, None, None, 2, 1),
        ("2.0", FRUIT, None, None, 2, 1),
        ("3", FRUIT, None, None, None, 2),
        ("2", ("4", "2", "3"), None, 1, 2, 1),
        ("A", ("C", "A", "B"), 0, 1, None, None),
        ("True", ("Yes", "No"), None, 0, None, None),
        ("12 cm", ("10", "$12$ cm"), None, 1, None, None),
        ("C", ("<image>", "<image>", "<image>"), 2, None, None, None),
        ("image", ("image", "image"), None, None, None, None),
        ("1", ("", "", ""), None, None, 1, 0),
    ],
)
def test_readings_of_one_gold(
    gold: str, options: tuple[str, ...], letter: int | None, text: int | None, index0: int | None, index1: int | None
) -> None:
    wanted = {"letter": letter, "text": text, "index0": index0, "index1": index1}
    for reading in READINGS:
        index = wanted[reading]
        assert read_gold(gold, options, reading) == (None if index is None else frozenset({index})), reading


def test_several_letters_are_several_options() -> None:
    for gold in ("AC", "A, C", "a, c", "A and C", "(A)(C)", "{A, C}"):
        assert read_gold(gold, FRUIT, "letter") == frozenset({0, 2})


def decided(*rows: Row) -> GoldReading | None:
    return count_golds((f"row {number}", (gold,), options) for number, (gold, options) in enumerate(rows, 1)).reading()


def test_the_reading_that_fits_all_rows() -> None:
    assert decided(("B", FRUIT), ("c", FRUIT)) == "letter"
    assert decided(("pear", FRUIT), ("plum", FRUIT)) == "text"
    assert decided(("1", FRUIT), ("0", FRUIT)) == "index0"
    assert decided(("1", FRUIT), ("3", FRUIT)) == "index1"


def test_readings_that_always_mean_the_same_are_one() -> None:
    assert decided(("C", ("A", "B", "C"))) == "letter"
    assert decided(("1", ("0", "1", "2")), ("0", ("0", "1", "2"))) == "text"


def test_two_readings_that_fit_are_none() -> None:
    assert decided(("1", FRUIT)) is None
    assert decided(("1", ("1", "2")), ("1", ("2", "1"))) is None
    golds = count_golds([("row 7", ("1",), FRUIT), ("row 8", ("2",), FRUIT)])
    assert golds.reading() is None
    complaint = golds.complaint()
    assert complaint.startswith(
        "index0 and index1 both fit the 2 rows with options and mean different ones; row 7: '1'"
    )
    assert complaint.endswith("set `gold: index0` or `gold: index1`")


def test_no_reading_that_fits_all_names_three_rows_and_the_counts() -> None:
    rows = [("B", FRUIT), ("A", FRUIT), *[("banana", FRUIT)] * 4]
    golds = count_golds((f"row {number}", (gold,), options) for number, (gold, options) in enumerate(rows, 1))
    assert golds.reading() is None
    complaint = golds.complaint()
    assert "no reading fits all 6 rows with options (letter 2, text 0, index0 0, index1 0)" in complaint
    assert [name in complaint for name in ("row 2", "row 3", "row 4", "row 5", "row 6")] == [
        False,
        True,
        True,
        True,
        False,
    ]
    assert "\n" not in complaint


def test_a_row_of_several_references_fits_if_all_of_them_do() -> None:
    assert count_golds([("r", ("pear", "plum"), FRUIT)]).reading() == "text"
    assert count_golds([("r", ("pear", "nut"), FRUIT)]).reading() is None


OPTION = st.sampled_from(["", "<image>", "image", "A", "B", "C", "(A)", "1", "2", "0", "pear", "plum", "12 cm", "Yes"])


@given(st.lists(OPTION, min_size=2, max_size=6).map(tuple), st.data())
def test_a_settled_gold_means_its_options_and_no_others(options: tuple[str, ...], data: st.DataObject) -> None:
    """Whatever the reading was: from here on the verifier must understand it without being told."""
    indices = frozenset(data.draw(st.sets(st.integers(0, len(options) - 1), min_size=1, max_size=2)))
    gold = spelled(indices, options)
    meant = gold_options(gold, options)
    assert meant is not None
    assert canonical(meant, options) == canonical(indices, options)
