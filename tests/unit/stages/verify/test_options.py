from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.verify.judge import judge
from stages.verify.listed import options_in
from stages.verify.options import Conflict, chosen, lettered, mentioned, real_texts

OPTIONS = ("10", "12 cm", "a polygon", "x^2")


@pytest.mark.parametrize(
    ("question", "options"),
    [
        ("How many?\nChoices:\n(A) 10\n(B) 12", ("10", "12")),
        ("How many? A. 10  B. 12  C. 15", ("10", "12", "15")),
        ("约有( ) A. 14 斛B. 22 斛C. 36 斛", ("14 斛", "22 斛", "36 斛")),
        ("Which?\nA: red\nB: green", ("red", "green")),
        ("First (A) one (B) two.\nNow:\n(A) three\n(B) four\n(C) five", ("three", "four", "five")),
        ("Option A: 3\nOption B: 4", ("3", "4")),
        ("Which? - A. 3 - B. 4", ("3", "4")),
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
        ("a, c", {0, 2}),
        ("(b), (d)", {1, 3}),
        ("A, b", {0, 1}),
        ("A AND C AND D", {0, 2, 3}),
        ("\\{A, C, D\\}", {0, 2, 3}),
        ("acd", {0, 2, 3}),
        ("Option C", {2}),
        ("Figure C", {2}),
        ("选C", {2}),
    ],
)
def test_recognises(answer: str, indices: set[int]) -> None:
    assert chosen(answer, OPTIONS) == frozenset(indices)


@pytest.mark.parametrize("answer", ["", "E", "13", "(B) or (C)", "B or C", "not B", "BED", "dab", "x", "A triangle"])
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
        ("b. 12 cm and c. a polygon", "also option C"),
        ("(b) 12 cm, (d) x^2", "also option D"),
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


@pytest.mark.parametrize(
    ("options", "texts"),
    [
        (("3", " 4 "), ("3", "4")),
        (("", " ", "<image>"), ("", "", "")),
        (("image", "image"), ("", "")),
        (("a circle", "a circle"), ("", "")),
        (("See picture", "see picture", "none of these"), ("See picture", "see picture", "none of these")),
        (("see picture", "see picture", "none of these"), ("", "", "none of these")),
        (("18", "18", "20"), ("18", "18", "20")),
        (("x", "x", "x", "20"), ("", "", "", "20")),
        (("<image 1> turned", "<image 2> turned", "<image 3> mirrored"), ("", "", "mirrored")),
        (("![](a.png)", '<img src="b.png">'), ("", "")),
        (("picture", "sculpture"), ("picture", "sculpture")),
        (("<", ">", "="), ("<", ">", "=")),
        (("A. 3", "B. 4"), ("3", "4")),
        (("(A) <image>", "(B) <image>"), ("", "")),
        (("A. 3", "C. 4"), ("A. 3", "C. 4")),
        (("A", "B", "C"), ("A", "B", "C")),
    ],
)
def test_what_tells_options_apart(options: tuple[str, ...], texts: tuple[str, ...]) -> None:
    assert real_texts(options) == texts


def test_letters_go_by_the_question() -> None:
    question = "What time?\n(A) 4:30\n(B) 9:30\n(C) 1:30"
    assert lettered(("9:30", "1:30", "4:30"), question) == ("4:30", "9:30", "1:30")
    assert lettered(("9:30", "1:30"), question) == ("9:30", "1:30")
    assert lettered((), question) == ("4:30", "9:30", "1:30")
    assert lettered(("9:30", "1:30"), "What time?") == ("9:30", "1:30")


MARKS = [
    "{}.",
    "({})",
    "{})",
    "{}:",
    "{}、",
    "{}．",
    "（{}）",
    "{} .",
    "[{}]",
    "**{}.**",
    "{}",
    "- {}.",
    "* {})",
    "Option {}:",
    "({})\n",
]
BODIES = [
    "",
    " ",
    "   ",
    " <image>",
    " <image 1>",
    "\n<image>",
    " image",
    " see picture",
    " [image]",
    " ![](x.png)",
    " 图",
    " Image",
]
BETWEEN = ["\n", " ", "    ", "\n\n", "; ", ", ", "\t"]
QUESTIONS = ["Which figure comes next?\n", "Which figure comes next? ", "Which?\nChoices:\n", "如图，正确的是( )\n"]
SAYINGS = [
    "\\boxed{{{}}}", "\\boxed{{\\text{{{}}}}}", "The answer is {}.", "Answer: ({})", "Final answer: {}", "Final answer: Option {}",
    "So the answer is **{}**.", "{}", "({})", "The correct option is ({}).", "Final answer: Figure {}", "故选{}",
    "Answer: ({}) <image>",
]  # fmt: skip
"""Ways to choose an option by its letter."""
PICTURES = st.integers(2, 6).flatmap(
    lambda n: st.sampled_from(["", " ", "<image>", "image", "see picture", "[image]", "Figure"]).map(
        lambda one: (one,) * n
    )
)


@settings(max_examples=400)
@given(st.sampled_from(MARKS), st.sampled_from(BODIES), st.sampled_from(BETWEEN), st.sampled_from(QUESTIONS), st.data())
def test_a_wrong_letter_is_wrong_however_options_without_texts_are_listed(
    mark: str, body: str, between: str, question: str, data: st.DataObject
) -> None:
    listed = "ABCDEF"[: data.draw(st.integers(2, 6))]
    gold, letter = (data.draw(st.sampled_from(listed)) for _ in range(2))
    response = data.draw(st.sampled_from(SAYINGS)).format(letter)
    asked = question + between.join(mark.format(name) + body for name in listed)
    found = judge(gold, response, ("choice", "number", "math", "text"), (), asked)
    assert found.status == ("correct" if letter == gold else "incorrect"), (asked, gold, response, found)


@settings(max_examples=200)
@given(PICTURES, st.data())
def test_a_wrong_letter_is_wrong_for_options_without_texts(options: tuple[str, ...], data: st.DataObject) -> None:
    letters = "ABCDEF"[: len(options)]
    gold, letter = (data.draw(st.sampled_from(letters)) for _ in range(2))
    response = data.draw(st.sampled_from(SAYINGS)).format(letter)
    found = judge(gold, response, ("choice", "number", "math", "text"), options, "Which figure comes next?")
    assert found.status == ("correct" if letter == gold else "incorrect"), (options, gold, response, found)


@given(PICTURES, st.booleans())
def test_the_words_for_a_picture_choose_none(options: tuple[str, ...], named: bool) -> None:
    response = f"Final answer: {options[0] if named and options[0].strip() else 'the picture'}"
    assert judge("A", response, ("choice", "text"), options).status in ("incorrect", "no_answer")


@pytest.mark.parametrize("answer", ["4", "B", "B. 4", "(B) 4", "four"])
def test_options_that_begin_with_their_letters(answer: str) -> None:
    assert chosen(answer, ("A. 3", "B. 4")) == frozenset({1})
