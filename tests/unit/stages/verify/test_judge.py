from __future__ import annotations

import pathlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import parse_config
from pipeline.records import VERDICT_STATUSES
from stages.load.sources.fields import parse_row
from stages.verify import judge as package_judge
from stages.verify import modes as modes_package
from stages.verify.finding import Finding
from stages.verify.judge import judge
from stages.verify.modes import EVERY, MODES, Mode
from stages.verify.report import verify_file
from tests.unit.stages.exchange.corpus import png

DEFAULT: tuple[str, ...] = ("choice", "number", "math", "text")
CHEAP: tuple[str, ...] = tuple(mode for mode in MODES if mode != "math")


def test_every_mode_has_its_file_and_its_place() -> None:
    files = {path.stem for path in pathlib.Path(modes_package.__path__[0]).glob("*.py")} - {"__init__"}
    assert files == set(MODES)
    assert list(MODES)[-1] == "math", "math is not bounded and has the last word: enter the others before it"
    for name, mode in MODES.items():
        assert mode.settles <= {EVERY, *MODES}, f"{name} settles modes that are not there"
    assert package_judge is judge


def test_the_verdict_names_the_mode_that_decided() -> None:
    assert judge("59", "Final answer: 59.0", DEFAULT).mode == "number"
    assert judge("B", "Final answer: (B) 12", DEFAULT, ("10", "12")).mode == "choice"
    assert judge("x^2+1", "Final answer: 1+x^2", DEFAULT).mode == "math"
    assert judge("Mr. Watson", "Final answer: mr watson", DEFAULT).mode == "text"
    wrong = judge("59", "Final answer: 58", DEFAULT)
    assert (wrong.status, wrong.answer, wrong.mode, wrong.reason) == ("incorrect", "58", "number", "different numbers")
    assert judge("B", "Final answer: A", DEFAULT, ("10", "12")).mode == "choice"
    assert judge("x^2+1", "Final answer: x^2", DEFAULT).mode == "math"
    assert judge("red", "Final answer: blue", ("text",)).mode is None


def test_only_the_modes_that_are_asked_for() -> None:
    assert judge("0.5", "Final answer: 1/2", ("text",)).status == "incorrect"
    assert judge("0.5", "Final answer: 1/2", ("number",)).status == "correct"
    assert judge("100", "Final answer: 103", ("number",)).status == "incorrect"
    assert judge("100", "Final answer: 103", ("number", "relaxed")).mode == "relaxed"


def test_another_option_settles_the_matter() -> None:
    """The text of option A would be equal to the gold for mode `number`, but the answer chose it by mistake for C."""
    assert judge("C", "Final answer: (A) 15", DEFAULT, ("15", "12", "10")).status == "incorrect"
    assert judge("15", "Final answer: (C) 15", DEFAULT, ("15", "12", "10")).status == "incorrect"


@pytest.mark.parametrize(
    "said",
    [
        "A, but it could be B",
        "A, though it might be B",
        "A because the other one is B",
        "(A), which is larger; the smallest is B",
    ],
)
@pytest.mark.parametrize("opening", ["Final answer:", "The answer is"])
def test_an_option_with_a_remark_is_not_the_one_that_the_remark_ends_on(opening: str, said: str) -> None:
    options = ("red", "blue", "green")
    assert judge("B", f"{opening} {said}", DEFAULT, options).status == "incorrect"
    assert judge("B", f"{opening} {said}", DEFAULT).status == "incorrect"


@pytest.mark.parametrize(
    "said",
    [
        "13, but it could be 12",
        "13; the original was 12",
        "13 and the other is 12",
        "13 cm although the usual one is 12",
        "unlikely to be 12",
        "one that can never be 12",
    ],
)
def test_a_number_with_a_remark_is_not_the_one_that_the_remark_ends_on(said: str) -> None:
    assert judge("12", f"Final answer: {said}", DEFAULT).status == "incorrect"


@pytest.mark.parametrize(
    ("gold", "said"),
    [
        ("12", "the area of the square is 12"),
        ("12", "since a is 3 and b is 4, the area is 12"),
        ("12", "with 3 rows, and 4 in each, the number is 12"),
        ("collinear", "the points A, B and C are collinear"),
    ],
)
def test_a_sentence_ends_on_its_answer(gold: str, said: str) -> None:
    assert judge(gold, f"Final answer: {said}", DEFAULT).status == "correct"


def test_one_of_several_letters_is_left_open() -> None:
    for options in ((), ("red", "blue", "green")):
        for said in ("A or C", "(A) or (C)", "either A or C", "A或C"):
            assert judge("A, C", f"Final answer: {said}", DEFAULT, options).status == "incorrect", said
        assert judge("A, C", "Final answer: A and C", DEFAULT, options).status == "correct"
        assert judge("A, C", r"\boxed{A} or \boxed{C}", DEFAULT, options).status == "incorrect"
        assert judge("A, C", r"\boxed{A} and \boxed{C}", DEFAULT, options).status == "correct"
    assert judge("1, 2", r"$x = \boxed{1}$ or $x = \boxed{2}$", DEFAULT).status == "correct"


@pytest.mark.parametrize(
    "response",
    [
        "Thus (B) is wrong.",
        "So (B) cannot be right.",
        "So (B) can't be it.",
        "B is the wrong answer",
        "B is not the correct answer",
        "The answer is B. Wait, it's actually C.",
        "The answer is B. No, C.",
        "If the answer is B, then x = 3. But x = 4.",
        "We don't know whether the answer is B.",
    ],
)
def test_an_option_that_is_denied_or_supposed_is_not_chosen(response: str) -> None:
    assert judge("B", response, DEFAULT, ("red", "blue", "green")).status != "correct"


def test_what_is_said_against_other_options_does_not_count() -> None:
    for response in (
        "Thus (B).",
        "So it is (B), not C.",
        "The answer is B. Wait, let me check: yes, B.",
        "B is the right answer",
    ):
        assert judge("B", response, DEFAULT, ("red", "blue", "green")).status == "correct", response


def test_a_bound_is_no_value() -> None:
    assert judge("12", "So x is at least 12.", DEFAULT).status != "correct"
    assert judge("12", "So x is more than 12.", DEFAULT).status != "correct"
    question = "How many bars are at least 12 high?"
    assert judge("2", "Two bars are at least 12 high.", DEFAULT, question=question).status == "correct"


def test_symbols_in_another_case_are_others() -> None:
    assert judge("M", r"\boxed{m}", DEFAULT).status == "incorrect"
    assert judge("AB", r"\boxed{ab}", DEFAULT).status == "incorrect"
    assert judge("B", r"\boxed{b}", DEFAULT).status == "correct"
    assert judge("M", r"\boxed{m}", DEFAULT, tuple("abcdefghijklmn")).status == "correct"
    assert judge("TV", "Final answer: tv", DEFAULT).status == "correct"


@pytest.mark.parametrize(
    "left", ["not x", "x not", "more than x", "at least x", "it is false that x", "half of x", "-x", "x > y"]
)
def test_an_equation_that_denies_or_compares_states_no_value(left: str) -> None:
    assert judge("5", rf"\boxed{{{left} = 5}}", DEFAULT).status == "incorrect"


@pytest.mark.parametrize("left", ["x", "the area", "m + n", "x_1", "f(x)", "P(A)"])
def test_an_equation_states_its_right_side(left: str) -> None:
    assert judge("5", rf"\boxed{{{left} = 5}}", DEFAULT).status == "correct"


@pytest.mark.parametrize(
    ("gold", "other"),
    [
        ("x-2y+z-1=0", "x-2y+z-7=0"),
        ("x-2y+z=1", "x-2y+z=11"),
        ("a-3b+3c-d=2", "a-3b+3c-d=4"),
        ("a-4b+6c-4d+e=2", "a-4b+6c-4d+e=4"),
    ],
)
def test_parallel_planes_are_two(gold: str, other: str) -> None:
    assert judge(gold, rf"\boxed{{{other}}}", DEFAULT).status == "incorrect"
    assert judge(gold, rf"\boxed{{2({gold.split('=')[0]}) = 2({gold.split('=')[1]})}}", DEFAULT).status == "correct"


@pytest.mark.parametrize(("gold", "other"), [("5 mg", "5 gm"), ("5 Nm", "5 mN"), ("5 mV", "5 Vm")])
def test_units_are_no_products_of_symbols(gold: str, other: str) -> None:
    assert judge(gold, rf"\boxed{{{other}}}", DEFAULT).status == "incorrect"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("1", "2", "3"), "-2"),
        (("1", "2", "3"), "$-2$"),
        (("y", "x", "2x"), "-x"),
        (("1", r"\frac{1}{2}", "3"), r"-\frac{1}{2}"),
        (("cold", "5 degrees below", "hot"), "-5 degrees below"),
    ],
)
def test_an_option_with_another_sign_is_none(options: tuple[str, ...], said: str) -> None:
    assert judge("B", f"Final answer: {said}", DEFAULT, options).status == "incorrect"
    assert judge("B", f"So we get {said}", DEFAULT, options).status != "correct"
    assert judge("B", f"Final answer: {said.replace('-', '', 1)}", DEFAULT, options).status == "correct"


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("x ≥ 2", "x ≤ 2"),
        ("√2", "2"),
        ("2", "±2"),
        ("|x|", "x"),
        ("p", "¬p"),
        ("5", "5!"),
        ("a→b", "a←b"),
        ("f(x)", "f'(x)"),
        ("A ∪ B", "A ∩ B"),
        ("x ∈ A", "x ∉ A"),
        ("(1,2)", "[1,2]"),
        ("10 cm", "10 mm"),
        ("2 cm", "2 cm²"),
        ("the set A ∪ B", "the set A ∩ B"),
        ("CO gas", "Co gas"),
    ],
)
def test_an_option_with_another_sign_or_unit_is_none(option: str, said: str) -> None:
    options = ("blue", option, "red")
    assert judge("B", f"Final answer: {said}", DEFAULT, options).status == "incorrect"
    if said not in ("5!", "Co gas"):  # the end of a sentence, and of a word, tells no more
        assert judge("B", f"So we get {said}", DEFAULT, options).status != "correct"
    for right in (option, f"${option}$"):
        assert judge("B", f"Final answer: {right}", DEFAULT, options).status == "correct"
    assert judge("B", f"So we get {option}.", DEFAULT, options).status == "correct"


def test_a_sign_in_a_text_counts() -> None:
    assert judge("about 5 degrees outside", "Final answer: about -5 degrees outside", ("text",)).status == "incorrect"
    assert judge("red - blue", "Final answer: red blue", ("text",)).status == "correct"


def test_values_of_one_unknown_are_no_interval() -> None:
    assert judge("(0,1)", r"\boxed{x=0 \text{ or } x=1}", DEFAULT).status == "incorrect"
    assert judge("0, 1", r"\boxed{x=0 \text{ or } x=1}", DEFAULT).status == "correct"
    assert judge("(0,1)", r"\boxed{x=0, y=1}", DEFAULT).status == "correct"


def test_a_range_in_words_has_an_order() -> None:
    assert judge("1 to 2", "Final answer: 2 to 1", DEFAULT).status == "incorrect"
    assert judge("1 to 2", "Final answer: 1 to 2", DEFAULT).status == "correct"


GOLDS = st.one_of(
    st.integers(-(10**6), 10**6).map(str),
    st.decimals(-1000, 1000, places=2).map(str),
    st.tuples(st.integers(1, 99), st.integers(2, 99)).map(lambda p: f"\\frac{{{p[0]}}}{{{p[1]}}}"),
    st.sampled_from(["65\\pi", "2\\sqrt{3}", "K12", "21 cm^2", "Germany", "B", "Yes", "x^2+1", "4:30", "25%"]),
)
WRAPPERS = st.sampled_from(
    ["{}", "${}$", "\\({}\\)", "**{}**", "{}.", "\\boxed{{{}}}", " {} ", "\\text{{{}}}", '"{}"', "{}\n"]
)


@given(GOLDS, WRAPPERS)
def test_a_gold_is_right_however_it_is_wrapped(gold: str, wrapper: str) -> None:
    assert judge(gold, f"Final answer: {wrapper.format(gold)}", DEFAULT).status == "correct"


@given(GOLDS, st.data())
def test_a_changed_digit_is_wrong(gold: str, data: st.DataObject) -> None:
    places = [index for index, char in enumerate(gold) if char.isdigit()]
    if places:
        index = data.draw(st.sampled_from(places))
        digit = data.draw(st.sampled_from("123456789"))
        changed = gold[:index] + digit + gold[index + 1 :]
        zeros = gold.strip("-0.") == "" or changed.strip("-0.") == ""
        if digit != gold[index] and not zeros and not _equal_fractions(gold, changed):
            assert judge(gold, f"Final answer: {changed}", DEFAULT).status == "incorrect"


def _equal_fractions(left: str, right: str) -> bool:
    from stages.verify.arithmetic import Unreadable, evaluate

    try:
        return evaluate(left) == evaluate(right)
    except Unreadable:
        return False


@given(st.text(max_size=200), st.text(max_size=300), st.lists(st.text(max_size=20), max_size=4), st.text(max_size=100))
def test_never_raises(gold: str, response: str, options: list[str], question: str) -> None:
    verdict = judge(gold, response, CHEAP, options, question)
    assert verdict.status in VERDICT_STATUSES
    assert verdict.status != "error", verdict


@pytest.mark.parametrize("wrong", [None, 5, b"59"])
def test_even_the_wrong_type_gives_a_verdict(wrong: Any) -> None:
    assert judge(wrong, "Final answer: 59", DEFAULT).status == "error"
    assert judge("59", wrong, DEFAULT).status == "error"


def test_one_entry_makes_a_mode_known_everywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    """A made-up one, by which answers of one length are equal: settings, rows, `visualprm verify`."""

    def compare(gold: str, answer: str) -> Finding:
        return Finding(len(gold) == len(answer), "lengths compared")

    last = MODES["math"]
    monkeypatch.delitem(MODES, "math")
    monkeypatch.setitem(MODES, "length", Mode(compare=compare))
    monkeypatch.setitem(MODES, "math", last)
    data = {"name": "x", "sources": [{"name": "a", "path": "rows.jsonl", "verify": ["length"]}]}
    (source,) = parse_config(data).sources
    row = {"question": "Which?", "answer": "red", "image": png(1), "verify": ["length", "text"]}
    assert parse_row(row, "1", source, None, "p").verify == ("length", "text")
    assert judge("red", "Final answer: sea", source.verify).mode == "length"
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"answer": "red", "response": "Final answer: sea"}\n')
    assert [found.verdict.mode for found in verify_file(rows, ["length"])] == ["length"]
