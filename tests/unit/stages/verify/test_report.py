from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import UserError
from stages.verify.report import agreement, table, verify_file

pytestmark = pytest.mark.usefixtures("shared_verifiers")

ROWS: list[dict[str, Any]] = [
    {"answer": "59", "response": "Final answer: 59", "correct": True, "source": "a"},
    {"answer": "59", "response": "Final answer: 58", "correct": False, "source": "a"},
    {"answer": "59", "response": "Final answer: 58", "correct": True, "source": "a"},
    {"answer": "59", "response": "Final answer: 59", "correct": False, "source": "b"},
    {"answer": "B", "response": "The answer is 12.", "choices": ["10", "12"], "correct": True, "source": "b"},
    {"answer": "100", "response": "Final answer: 103", "verify": ["relaxed"], "correct": None, "source": "b"},
    {"answer": "59", "response": "I can't see the picture.", "source": "b"},
]


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_counts_by_source(tmp_path: Path) -> None:
    file = write(tmp_path / "rows.jsonl", *(json.dumps(row) for row in ROWS))
    found = agreement(list(verify_file(file, ("choice", "number", "text"))))
    assert list(found) == ["a", "b", "all"]
    assert (found["a"].false_accepts, found["a"].false_rejects) == (0, 1)
    assert (found["b"].false_accepts, found["b"].false_rejects) == (1, 0)
    assert found["all"].compared == 5
    assert found["all"].accuracy == pytest.approx(3 / 5)
    assert found["all"].statuses == {"correct": 4, "incorrect": 2, "no_answer": 1}
    assert found["all"].modes == {"exact": 2, "choice": 1, "relaxed": 1}
    lines = table(found).splitlines()
    assert len(lines) == 5
    assert "1/2 (50.0%)" in lines[3]
    assert lines[-1] == "worst: b, 50.0%"


def test_a_review_counts_and_a_doubtful_judgement_does_not(tmp_path: Path) -> None:
    row = {"answer": "59", "response": "Final answer: 59", "correct": False}
    rows = [
        {**row, "suspect": "cut short", "reviewed_correct": True},
        {**row, "suspect": "cut short", "reviewed_correct": None},
        {**row, "suspect": None, "reviewed_correct": None},
    ]
    file = write(tmp_path / "rows.jsonl", *map(json.dumps, rows))
    found = agreement(list(verify_file(file, ("number",))))["all"]
    assert (found.statuses["correct"], found.compared, found.right, found.false_accepts) == (3, 2, 1, 1)


def test_an_object_in_options_is_something_else(tmp_path: Path) -> None:
    row = {"answer": "B", "response": "The answer is 12.", "options": {"strict": True}}
    lines = (json.dumps({**row, **more}) for more in ({}, {"choices": ["10", "12"]}))
    file = write(tmp_path / "rows.jsonl", *lines)
    assert [row.verdict.status for row in verify_file(file, ("choice",))][1] == "correct"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: not valid JSON"),
        ("[]", "line 2: expected an object"),
        ('{"answer": "5"}', "line 2: `response` must be a text"),
        ('{"answer": 5, "response": "5"}', "line 2: `answer` must be a text"),
        ('{"answer": "5", "response": "5", "options": "A"}', "line 2: `options` must be a list of texts"),
        ('{"answer": "5", "response": "5", "verify": ["maths"]}', "line 2: `verify`: unknown mode 'maths'"),
        ('{"answer": "5", "response": "5", "correct": "yes"}', "line 2: `correct` must be"),
    ],
)
def test_bad_lines_are_user_errors(tmp_path: Path, line: str, message: str) -> None:
    file = write(tmp_path / "rows.jsonl", json.dumps(ROWS[0]), line)
    with pytest.raises(UserError, match=r"rows\.jsonl, ") as error:
        list(verify_file(file, ("number",)))
    assert message in str(error.value)


def test_a_missing_file_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="can't be read"):
        list(verify_file(tmp_path / "none.jsonl", ("number",)))


def test_an_unknown_mode_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown mode 'maths'; known are exact"):
        list(verify_file(tmp_path / "none.jsonl", ["maths"]))
