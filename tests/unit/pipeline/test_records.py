"""Rows and records say the same."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import (
    AnnotatedProblem,
    Draw,
    Image,
    Problem,
    References,
    Rejected,
    Solution,
    SolutionId,
    Step,
    Verdict,
    asked,
    ledger_row,
    problem_from_row,
    problem_of,
    problem_row,
    solution_from_row,
    solution_row,
)
from pipeline.schemas import LEDGER_SCHEMA, PROBLEM_SCHEMA, REFERENCES, table

DRAW = Draw((7, 8), "so 4", "length", 11, Verdict("truncated", "4", None, "cut"))
STEPS = (
    Step("a", 0, 2, True, (DRAW, DRAW), 1, 2, 0.5, "measured"),
    Step("b", 2, 3, False, (), 1, 1, 1.0, "own_answer"),
    Step("c", 3, 3, True),
)
SOLUTION = Solution("p/k/s0", "a\n\nb\n\nc", (5, 6, 7), "stop", None, Verdict("correct", "4", "number"), STEPS)


def test_a_solutions_row_has_every_field_and_nothing_else() -> None:
    assert solution_row(SOLUTION) == dataclasses.asdict(SOLUTION)


def test_a_solution_comes_back_from_the_ledger() -> None:
    problem = Problem("p", "s", "r", "How many?", "4", (), (), ("number",), 1, "prompt")
    item = AnnotatedProblem(problem, (SOLUTION, SOLUTION), "m", "k", "prompt", "sha", "fixed")
    (row,) = table([ledger_row(item)], LEDGER_SCHEMA).to_pylist()
    assert tuple(map(solution_from_row, row["solutions"])) == item.solutions
    assert (row["num_draws"], row["num_tokens"]) == (4, 14)


def test_a_problem_comes_back_with_references_and_without() -> None:
    plain = Problem(
        "p", "s", "r", "Which?", "4", (Image.of(b"x"),), ("", "<image>"), ("number",), 1, "prompt", "{}", ("b",)
    )
    several = dataclasses.replace(plain, references=References(("4", "4", "5"), 2))
    assert REFERENCES.name not in problem_row(plain)
    (row,) = table([problem_row(plain)], PROBLEM_SCHEMA).to_pylist()
    assert problem_from_row(row) == plain
    rows = table(map(problem_row, (plain, several)), PROBLEM_SCHEMA.append(REFERENCES)).to_pylist()
    assert [problem_from_row(row) for row in rows] == [plain, several]


def test_references_make_another_problem_and_their_absence_the_one_of_before() -> None:
    plain = Problem.make_id("s", "Which?", "4", ["aa"], ("3", "4"))
    assert plain == "acfc78a58d47c3d4e492e66f199c0518"
    assert Problem.make_id("s", "Which?", "4", ["aa"], ("3", "4"), References(("4", "5"), 1)) != plain


def test_a_rejected_row_comes_back_from_the_quarantine() -> None:
    item = Rejected("s", "r", "missing_image", "a.png")
    assert item.row() == {"source": "s", "id": "r", "reason": "missing_image", "detail": "a.png"}
    assert Rejected.from_row(item.row()) == item


def test_every_letter_is_given_to_an_option() -> None:
    assert asked("Which?", [f"option {number}" for number in range(26)]).endswith("\nZ. option 25")


def test_a_solutions_id_is_written_as_ever() -> None:
    assert str(SolutionId("0f", "1a2b", 3)) == "0f/1a2b/s3"
    assert SolutionId.parse("0f/1a2b/s3").parts == ("0f", "1a2b", "s3")


NAME = st.text(min_size=1).filter(lambda text: "/" not in text)


@given(NAME, NAME, st.integers(min_value=0))
def test_a_solutions_id_reads_as_it_was_made(problem_id: str, policy_key: str, index: int) -> None:
    made = SolutionId(problem_id, policy_key, index)
    assert SolutionId.parse(str(made)) == made
    assert problem_of(str(made)) == problem_id


@pytest.mark.parametrize(
    "text", ["", "p", "p/k", "p/k/3", "p/k/s", "p/k/s-1", "p/k/s03", "p/k/s1/x", "/k/s1", "p/k/s1\n"]
)
def test_what_is_no_solutions_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not <problem_id>/<policy key>/s<index>"):
        SolutionId.parse(text)


@pytest.mark.parametrize(("text", "problem"), [("p", "p"), ("p/k/s1", "p"), ("p/other", "p"), ("", "")])
def test_a_row_of_any_maker_names_its_problem_first(text: str, problem: str) -> None:
    assert problem_of(text) == problem
