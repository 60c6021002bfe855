"""What a row says of candidates."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.errors import RowError
from stages.best_of_n.given import Columns, Given


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"response": "4"}, [Given("4")]),
        ({"response": ""}, [Given("")]),
        ({"response": "[1, 2]"}, [Given("[1, 2]")]),
        ({"response": "4", "correct": True, "finish_reason": "length"}, [Given("4", True, "length")]),
        ({"response": "4", "correct": "false"}, [Given("4", False)]),
        ({"response": "4", "correct": "1"}, [Given("4", True)]),
        ({"response": "4", "correct": 0.0}, [Given("4", False)]),
        ({"response": "4", "correct": float("nan")}, [Given("4")]),
        ({"responses": ["a", "b"]}, [Given("a"), Given("b")]),
        ({"responses": ["a", "b"], "correct": [True, None]}, [Given("a", True), Given("b")]),
        ({"responses": '["a", "b"]', "correct": "[1, 0]"}, [Given("a", True), Given("b", False)]),
        ({"responses": None, "response": "a"}, [Given("a")]),
        (
            {"responses": [{"response": "a", "correct": False}, {"text": "b", "finish_reason": "length"}]},
            [Given("a", False), Given("b", None, "length")],
        ),
    ],
)
def test_what_a_row_gives(row: Any, found: list[Given]) -> None:
    assert Columns().read(row) == found


def test_columns_of_other_names() -> None:
    columns = Columns("prediction", "hit")
    assert columns.read({"prediction": "[1, 2]", "hit": 1}) == [Given("[1, 2]", True)]
    assert columns.read({"prediction": ["a", "b"], "hit": [0, 1]}) == [Given("a", False), Given("b", True)]
    assert columns.names == {"prediction", "hit", "finish_reason"}
    assert Columns().names == {"responses", "response", "correct", "finish_reason"}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"question": "?"}, "no_response"),
        ({"response": None}, "no_response"),
        ({"response": 4}, "no_response"),
        ({"responses": []}, "no_response"),
        ({"responses": ["a", None]}, "no_response"),
        ({"responses": ["a", "b"], "correct": [True]}, "verdicts_do_not_fit"),
        ({"responses": ["a", "b"], "correct": True}, "verdicts_do_not_fit"),
        ({"response": "a", "correct": "maybe"}, "wrong_type"),
        ({"response": "a", "correct": 0.5}, "wrong_type"),
        ({"response": "a", "finish_reason": "eos"}, "wrong_type"),
        (["a"], "wrong_type"),
        (RowError("invalid_json", "x"), "invalid_json"),
    ],
)
def test_a_row_that_can_not_be_used_says_why(row: Any, reason: str) -> None:
    with pytest.raises(RowError) as caught:
        Columns().read(row)
    assert caught.value.reason == reason
