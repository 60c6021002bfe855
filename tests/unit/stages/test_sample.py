"""What the policy is shown."""

import pytest

from pipeline.records import Problem
from stages.sample import Template, user_turn


def problem(question: str, options: tuple[str, ...] = ()) -> Problem:
    return Problem("p", "s", "r", question, "B", (), options, ("choice",), 1, "")


@pytest.mark.parametrize(
    ("question", "options", "turn"),
    [
        ("How many?", (), "Q: How many?!"),
        ("How many?", ("3", "4"), "Q: How many?\nA. 3\nB. 4!"),
        ("How many?\nA. 3\nB. 4", ("3", "4"), "Q: How many?\nA. 3\nB. 4!"),
        ("In 34, which digit?", ("3", "4"), "Q: In 34, which digit?\nA. 3\nB. 4!"),
        ("How many? (A) 3 (B) 4", ("3", "4"), "Q: How many? (A) 3 (B) 4!"),
        ("Is {question} a brace?", (), "Q: Is {question} a brace?!"),
    ],
)
def test_options_are_shown_once(question: str, options: tuple[str, ...], turn: str) -> None:
    assert user_turn(problem(question, options), Template("Q: {question}!")) == turn


def test_the_hash_is_of_the_template_alone() -> None:
    assert Template("a {question}").sha == Template("a {question}").sha != Template("b {question}").sha
