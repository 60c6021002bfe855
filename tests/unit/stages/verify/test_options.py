from __future__ import annotations

import pytest

from stages.verify.options import Conflict, chosen, mentioned, options_in

OPTIONS = ("10", "12 cm", "a polygon", "x^2")


@pytest.mark.parametrize(
    ("question", "options"),
    [
        ("How many?\nChoices:\n(A) 10\n(B) 12", ("10", "12")),
        ("How many? A. 10  B. 12  C. 15", ("10", "12", "15")),
        ("约有( ) A. 14 斛B. 22 斛C. 36 斛", ("14 斛", "22 斛", "36 斛")),
        ("Which?\nA: red\nB: green", ("red", "green")),
        ("First (A) one (B) two.\nNow:\n(A) three\n(B) four\n(C) five", ("three", "four", "five")),
        ("Point A. Is it red?", ()),
        ("What is 6 × 7?", ()),
        ("", ()),
    ],
)
def test_options_in_a_question(question: str, options: tuple[str, ...]) -> None:
    assert options_in(question) == options


@pytest.mark.parametrize(
    ("answer", "indices"),
    [
        ("B", {1}),
        ("(b)", {1}),
        ("option B", {1}),
        ("12 cm", {1}),
        ("12", {1}),
        ("120 mm", {1}),
        ("B. 12 cm", {1}),
        ("B because it fits", {1}),
        ("A polygon", {2}),
        ("polygon", {2}),
        ("A and C", {0, 2}),
        ("ACD", {0, 2, 3}),
        ("(B)(D)", {1, 3}),
    ],
)
def test_recognises(answer: str, indices: set[int]) -> None:
    assert chosen(answer, OPTIONS) == frozenset(indices)


@pytest.mark.parametrize("answer", ["", "E", "13", "(B) or (C)", "B or C", "not B", "BED", "x", "A triangle"])
def test_recognises_nothing(answer: str) -> None:
    assert chosen(answer, OPTIONS) is None


def test_letter_against_text() -> None:
    with pytest.raises(Conflict, match="letter A, but the text of option B"):
        chosen("(A) 12 cm", OPTIONS)


def test_options_of_equal_text_are_one() -> None:
    assert chosen("18", ("9", "18", "18")) == frozenset({1})


@pytest.mark.parametrize(
    ("sentence", "index"),
    [
        ("the first to change are the crickets", 1),
        ("frogs and crickets change", None),
        ("nothing changes", None),
        ("it is not the crickets that change", None),
        ("it is neither odd", 2),
    ],
)
def test_the_only_option_of_a_sentence(sentence: str, index: int | None) -> None:
    assert mentioned(sentence, ("Frogs", "Crickets", "neither odd", "odd")) == index


@pytest.mark.parametrize("answer", ["A 12 cm", "a 12 cm", "D 12 cm", "A $x^2$", "option C 10"])
def test_a_bare_letter_against_the_text_of_another_option(answer: str) -> None:
    with pytest.raises(Conflict, match="but the text of option"):
        chosen(answer, OPTIONS)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("(B) 12 cm and (C) a polygon", "also option C"),
        ("B. 12 cm or D", "also option D"),
        ("B: 12 cm, but x^2 is possible", "also option D"),
        ("B. neither", "denied"),
        ("B. is wrong", "denied"),
    ],
)
def test_a_choice_that_is_taken_back(answer: str, why: str) -> None:
    with pytest.raises(Conflict, match=why):
        chosen(answer, OPTIONS)


@pytest.mark.parametrize("answer", ["B. 12 cm, not C", "B: 12 cm, but C is wrong", "B: 12 cm because A and C differ"])
def test_a_choice_that_refutes_the_others(answer: str) -> None:
    assert chosen(answer, OPTIONS) == frozenset({1})
