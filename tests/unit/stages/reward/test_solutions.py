"""Chunks of a file, and its rows as what a scorer is asked about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import SplitConfig
from pipeline.errors import RowError, UserError
from stages.reward.cutting import check_cutting
from stages.reward.model import read_config
from stages.reward.solutions import candidate, chunks
from tests.families import POLICY

CONFIG = read_config(str(POLICY))


def test_a_response_is_split_as_the_pipeline_splits(tmp_path: Path) -> None:
    row = {"question": "?", "response": "\n\n".join("abcd")}
    assert candidate(row, None, CONFIG, 2).steps == ("a\n\nb", "c\n\nd")


def test_a_response_is_cut_as_the_models_dataset_was() -> None:
    sentences = CONFIG.model_copy(update={"split": SplitConfig(kind="sentences", max_steps=3)})
    row = {"question": "?", "response": "One. Two.\n\nThree. Four."}
    found = candidate(row, None, sentences)
    assert found.steps == ("One. Two.", "Three. Four.")
    assert candidate(row, None, sentences, 4).steps == ("One.", "Two.", "Three.", "Four.")
    assert candidate(row, None, CONFIG).steps == ("One. Two.", "Three. Four.")
    # An outcome model learnt from the response as it was written.
    assert found.text == row["response"]
    assert candidate({"question": "?", "steps": ["One.", "Two."]}, None, sentences).text == "One.\n\nTwo."


def test_code_that_a_models_folder_names_is_not_run_unasked() -> None:
    other = CONFIG.model_copy(update={"split": SplitConfig(kind="os:system")})
    with pytest.raises(
        UserError, match="outputs/prm: its dataset was cut into steps by code, os:system: add --run-code"
    ):
        check_cutting("outputs/prm", other, run_code=False)
    check_cutting("outputs/prm", other, run_code=True)
    check_cutting("outputs/prm", CONFIG, run_code=False)


def test_a_rows_options_are_shown_unless_the_question_lists_them() -> None:
    row = {"question": "Which?", "options": ["3", "4"], "steps": ["x"]}
    assert candidate(row, None, CONFIG, 2).question == "Which?\nA. 3\nB. 4"
    assert candidate({**row, "options": {"B": "4", "A": "3"}}, None, CONFIG, 2).question == "Which?\nA. 3\nB. 4"
    assert candidate({**row, "question": "Which? (A) 3 (B) 4"}, None, CONFIG, 2).question == "Which? (A) 3 (B) 4"
    assert candidate({**row, "options": None}, None, CONFIG, 2).question == "Which?"
    with pytest.raises(RowError, match="wrong_type: options"):
        candidate({**row, "options": 3}, None, CONFIG, 2)


@pytest.mark.parametrize("row", [{"steps": ["x", "\n"]}, {"response": {"steps": [""]}}])
def test_an_empty_step_has_no_score(row: dict[str, Any]) -> None:
    with pytest.raises(RowError, match="empty_step"):
        candidate({"question": "?", **row}, None, CONFIG, 12)


def test_lines_are_cut_into_chunks_without_loss(tmp_path: Path) -> None:
    jsonl = tmp_path / "rows.jsonl"
    lines = [json.dumps({"steps": ["x" * k]}) for k in range(12)]
    jsonl.write_text("\n".join(lines))
    parts = chunks(jsonl, rows=5)
    assert [(part.first, part.rows) for part in parts] == [(0, 5), (5, 5), (10, 2)]
    assert jsonl.read_bytes()[parts[1].start :].startswith(lines[5].encode())


def test_an_outcome_model_judges_a_response_that_is_thinking_alone() -> None:
    cutting = CONFIG.model_copy(update={"kind": "orm", "split": SplitConfig(part="answer", opened=True)})
    found = candidate({"question": "?", "response": "Hm, so it is 4."}, None, cutting)
    assert found.without_context([0.7]) == [0.7]
    with pytest.raises(RowError, match="no_such_part"):
        candidate({"question": "?", "response": "Hm."}, None, cutting.model_copy(update={"kind": "prm"}))
