from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.cli import main
from pipeline.errors import UserError
from stages.verify.report import agreement, disagreements, record, table, verify_file
from tests.documented import json_keys

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
        (
            '{"answer": "5", "response": "5", "finish_reason": "eos"}',
            "line 2: `finish_reason` is 'eos'; known are stop, length",
        ),
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


def test_csv_and_parquet_are_read_as_json_lines(tmp_path: Path) -> None:
    rows = [{**row, "id": str(number)} for number, row in enumerate(ROWS)]
    lines = write(tmp_path / "rows.jsonl", *map(json.dumps, rows))
    with (tmp_path / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        names = ["id", "answer", "response", "choices", "verify", "correct", "source"]
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        for row in rows:
            lists = {key: json.dumps(row[key]) for key in ("choices", "verify") if key in row}
            writer.writerow({key: value for key, value in (row | lists).items() if value is not None})
    table_ = pa.Table.from_pylist([{name: row.get(name) for name in names} for row in rows])
    pq.write_table(table_, tmp_path / "rows.parquet")
    verdicts = [
        [(record(row)["id"], row.verdict, row.agrees) for row in verify_file(path, ("choice", "number", "text"))]
        for path in (lines, tmp_path / "rows.csv", tmp_path / "rows.parquet")
    ]
    assert verdicts[0] == verdicts[1] == verdicts[2]


def test_a_bad_cell_and_a_bad_file_are_user_errors(tmp_path: Path) -> None:
    bad = write(tmp_path / "rows.csv", "answer,response,options", '5,5,"[1"')
    with pytest.raises(UserError, match=r"rows\.csv, row 1: `options` must be a list in JSON"):
        list(verify_file(bad, ("number",)))
    for line, many in (("5,It is 1,000,", "more"), ("5", "fewer")):
        torn = write(tmp_path / "rows.csv", "answer,response,options", line)
        with pytest.raises(UserError, match=rf"rows\.csv, row 1: has {many} cells than the header: quote texts"):
            list(verify_file(torn, ("number",)))
    with pytest.raises(UserError, match=r"rows\.csv: two columns are called 'answer'"):
        list(verify_file(write(tmp_path / "rows.csv", "answer,answer,response", "5,6,5"), ("number",)))
    with pytest.raises(UserError, match="not a readable Parquet file"):
        list(verify_file(write(tmp_path / "rows.parquet", "no table"), ("number",)))


def test_what_is_written_and_shown_of_a_row(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "a", "answer": "59", "response": "\x1b[31m red\nFinal answer: 58", "correct": True},
        {"id": "b", "answer": "59", "response": "Final answer: 59", "correct": True},
    ]
    found = list(verify_file(write(tmp_path / "rows.jsonl", *map(json.dumps, rows)), ("number",)))
    assert record(found[0]) == {
        "file": str(tmp_path / "rows.jsonl"),
        "row": 1,
        "id": "a",
        "status": "incorrect",
        "answer": "58",
        "mode": "number",
        "reason": "different numbers",
        "correct": True,
        "agrees": False,
    }
    (shown,) = disagreements(found)
    assert "row 1 (a): judged incorrect by number (different numbers), said to be right; gold '59', found '58'" in shown
    assert r"… \x1b[31m red\nFinal answer: 58" in shown
    assert "\x1b" not in shown


def test_the_command_writes_its_verdicts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "rows.jsonl", *map(json.dumps, ROWS))
    main(["verify", str(file), "--out", str(tmp_path / "out.jsonl"), "--disagreements"])
    written = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["row"] for row in written] == list(range(1, len(ROWS) + 1))
    printed = capsys.readouterr().out
    assert printed.count("said to be") == sum(row["agrees"] is False for row in written) == 2
    main(["verify", str(file), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told.keys() == json_keys("verify")
    assert told["disagreements"] == [row for row in written if row["agrees"] is False]
    assert told["sources"]["a"] == {
        "rows": 3, "statuses": {"incorrect": 2, "correct": 1}, "modes": {"exact": 1}, "compared": 3, "right": 2,
        "false_accepts": 0, "false_rejects": 1, "accuracy": pytest.approx(2 / 3),
    }  # fmt: skip
    assert list(told["sources"]) == ["a", "b"]
    assert told["total"]["rows"] == len(ROWS)
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(file), "--out", str(tmp_path / "none" / "out.jsonl")])
    assert ended.value.code == 2
