from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.verify.extract import MAX_ANSWER, extract, gold_answer


@pytest.mark.parametrize(
    ("response", "answer", "form"),
    [
        ("8 × 7 = 56.\n\nFinal answer: 56", "56", "final_answer"),
        ("Final answer: K12", "K12", "final_answer"),
        ("Final answer: 21 cm^2", "21 cm^2", "final_answer"),
        ("**Final Answer:** $\\frac{3}{7}$.", "$\\frac{3}{7}$", "final_answer"),
        ("Final answer:\n\n\\[\n\\frac{3}{7}\n\\]", "\\frac{3}{7}", "final_answer"),
        ("So $\\boxed{\\frac{1}{\\sqrt{2}}}$ it is", "\\frac{1}{\\sqrt{2}}", "boxed"),
        ("\\boxed{1}, then \\boxed{2}", "2", "boxed"),
        ("\\boxed{1} and \\boxed{2}", "1, 2", "boxed"),
        ("So \\boxed{5", "5", None),
        ("So\n\n\\boxed{5", "5", "boxed"),
        ("<think>7</think><answer> 8 </answer>", "8", "answer_tag"),
        ("◁think▷Final answer: 7◁/think▷So 8.\n\nFinal answer: 8", "8", "final_answer"),
        ("Answer: B. 12 cm", "B. 12 cm", "label"),
        ("†Answer: 69", "69", "label"),
        ("答案：65°", "65°", "label"),
        ("故选：B", "B", "label"),
        ("The answer is (A) Dynalang.\n\nIt is better.", "(A) Dynalang", "phrase"),
        ("The correct option letter is A.", "A", "phrase"),
        ("So the area of the square is the answer to this: the answer is that the area is 12.", "12", "phrase"),
        ("February is the correct answer.", "February", "phrase"),
        ("The answer is 4. Note that 5 is not.", "4", "phrase"),
        ("The answer is 5.\\n\\nNext line", "5", "phrase"),
        ("(B) 12", "(B) 12", "conclusion"),
        ("x is small.\n\nTherefore, the total is $42.", "$42", "conclusion"),
        ("x is small. So AB = 3 + 4 = **7**.\n\nI hope this helps!", "7", "conclusion"),
    ],
)
def test_finds(response: str, answer: str, form: str | None) -> None:
    found = extract(response)
    if form is None:
        assert found is None or found.text != answer
    else:
        assert found is not None
        assert (found.text, found.form) == (answer, form)


@pytest.mark.parametrize(
    "response",
    ["", "  \n", "8 × 7 = 56.\n\n56 + 3 = 59.", "I can't see the picture.", "<think>Final answer: 5", "◁think▷Final answer: 5",
     "<seed:think>Final answer: 5", "Final answer:", "\\boxed{}",
     "Therefore, 3 of the 4 are red.", "A triangle has three sides. It also has three angles."],
)  # fmt: skip
def test_finds_nothing(response: str) -> None:
    assert extract(response) is None


@pytest.mark.parametrize(
    ("response", "complete"),
    [
        ("Final answer: 5", False),
        ("Final answer: 5\n", True),
        ("Final answer: 5. Then", True),
        ("\\boxed{5}", True),
        ("<answer>5", False),
        ("<answer>5</answer>", True),
    ],
)
def test_knows_whether_an_answer_may_go_on(response: str, complete: bool) -> None:
    found = extract(response, finish_reason="length")
    assert found is not None
    assert found.complete is complete


def test_a_cut_response_has_no_conclusion() -> None:
    response = "Therefore, the total is 59."
    assert extract(response) is not None
    assert extract(response, finish_reason="length") is None


def test_what_names_an_option_wins() -> None:
    response = "The area is \\boxed{40}.\n\nTherefore, the answer is (C)."
    assert extract(response) is not None
    assert extract(response).text == "40"  # type: ignore[union-attr]
    assert extract(response, ("5", "9", "15")).text == "(C)"  # type: ignore[union-attr]


def test_a_sentence_that_restates_the_question() -> None:
    question = "What is the maximum rating of capacity in Maldives?"
    response = (
        "The maximum rating of capacity in Maldives is **70**. This is far above 20.\n\nLet me know if you need more."
    )
    assert extract(response, question=question).text == "70"  # type: ignore[union-attr]
    assert extract(response) is None


def test_an_invented_next_question_is_cut_off() -> None:
    found = extract("The answer is C.\n\nQuestion: And now?\n\nThe answer is D.")
    assert found is not None
    assert found.text == "C"


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("59", "59"),
        ("$\\boxed{59}$", "59"),
        ("We see that it is so, and more, and therefore in the end $n = \\boxed{1,-2}.$", "1,-2"),
    ],
)
def test_golds_that_are_solutions(gold: str, answer: str) -> None:
    assert gold_answer(gold) == answer


@given(st.text(max_size=300), st.sampled_from(["stop", "length"]))
def test_any_text(response: str, finish_reason: str) -> None:
    found = extract(response, ("10", "12"), "How many?", finish_reason)
    assert found is None or (found.text.strip() and len(found.text) <= MAX_ANSWER)


@given(
    st.integers(-(10**9), 10**9),
    st.sampled_from(["Final answer: {}", "\\boxed{{{}}}", "The answer is {}.", "<answer>{}</answer>"]),
)
def test_the_last_line_counts(number: int, form: str) -> None:
    found = extract(f"1 + 1 = 2.\n\nFinal answer: 7\n\nNo.\n\nFinal answer: 8\n\n{form.format(number)}")
    assert found is not None
    assert found.text == (str(number) if "The answer" not in form else "8")
