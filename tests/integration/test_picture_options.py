"""Options that are pictures, from a file of rows through `check` and a run to the published dataset."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from stages.publish.reading import read_rows
from tests.integration.conftest import Command, scripted

pytestmark = pytest.mark.integration

ROWS: list[dict[str, Any]] = [
    {"options": ["<image 2>", "<image 3>", "<image 4>"], "image": ["0.png", "1.png", "2.png", "3.png"], "answer": "B",
     "question": "What continues <image 1>?"},
    {"options": ["3.png", "1.png", "none of these"], "image": "0.png", "answer": "A", "question": "Which is like it?"},
    {"options": None, "image": ["1.png", "2.png"], "answer": "A", "question": "Which is larger?\nA. <image>\nB. <image>"},
]  # fmt: skip
SHOWN = [
    ("What continues <image>?\nA. <image>\nB. <image>\nC. <image>", "0123"),
    ("<image>\nWhich is like it?\nA. <image>\nB. <image>\nC. none of these", "031"),
    ("Which is larger?\nA. <image>\nB. <image>", "12"),
]


def test_picture_options_from_rows_to_labels(visualprm: Command, tmp_path: Path) -> None:
    """Every letter is given as a solution: only the gold's is right, and the pictures stand after their letters."""
    names = {}
    for number in range(4):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (24 + number, 24), (60 * number, 0, 90)).save(path)
        names[hashlib.sha256(path.read_bytes()).hexdigest()] = str(number)
    rows = [{"id": f"q{number}", **row} for number, row in enumerate(ROWS)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    said = [{"id": row["id"], "response": f"Look.\n\nFinal answer: ({letter})"} for row in rows for letter in "ABC"]
    (tmp_path / "responses.jsonl").write_text("\n".join(map(json.dumps, said)))
    config = scripted(tmp_path, sources=[{"name": "rows", "path": str(tmp_path / "rows.jsonl")}])

    checked = visualprm("check", config)
    assert checked.returncode == 0, checked.stderr[-3000:]
    assert "gold of rows: letter (auto)" in checked.stdout
    assert "| rows   |    3 |        3 |" in checked.stdout

    done = visualprm("dataset", config, f"input.responses={tmp_path / 'responses.jsonl'}")
    assert done.returncode == 0, done.stderr[-3000:]
    published = list(read_rows(str(tmp_path / "data")))
    assert len(published) == 9
    by_question = {question: (pictures, row["answer"]) for (question, pictures), row in zip(SHOWN, ROWS, strict=True)}
    for row in published:
        pictures, gold = by_question[row["question"]]
        assert [names[image["path"]] for image in row["images"]] == list(pictures)
        assert row["question"] in row["prompt"]
        assert row["answer"] == gold
        assert row["response_correct"] == row["response"].endswith(f"({gold})"), row["response"]
    assert json.loads((tmp_path / "run/gold.json").read_text()) == {"rows": "letter"}


def test_golds_that_can_mean_two_options_stop_before_an_engine(visualprm: Command, tmp_path: Path) -> None:
    Image.new("RGB", (24, 24)).save(tmp_path / "0.png")
    row = {"image": "0.png", "question": "Which?", "options": ["red", "blue"], "answer": 1}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))
    config = scripted(tmp_path, sources=[{"name": "rows", "path": str(tmp_path / "rows.jsonl")}])
    for command in ("check", "dataset"):
        done = visualprm(command, config)
        assert done.returncode == 2
        (line,) = [line for line in done.stderr.splitlines() if "gold:" in line]
        assert "source 'rows': gold: index0 and index1 both fit" in line
        assert line.endswith("set `gold: index0` or `gold: index1`")
