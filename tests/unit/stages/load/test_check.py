"""What `visualprm check` says of sources that can't be read: equal faults together, the mend, the exit status."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.cli import main
from pipeline.config import parse_config
from stages.load.check import check_sources
from tests.documented import json_keys
from tests.unit.stages.load.add.benchmarks import b64


def config(tmp_path: Path, *sources: tuple[str, list[dict[str, Any]]]) -> dict[str, Any]:
    for name, rows in sources:
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    entries = [{"name": name, "path": str(tmp_path / f"{name}.jsonl")} for name, _ in sources]
    return {"name": "x", "run_dir": str(tmp_path / "run"), "sources": entries}


def row(number: int, **more: Any) -> dict[str, Any]:
    return {"image": b64(1), "question": f"Question {number}?", "answer": str(number), **more}


def test_wrong_names_are_told_once_with_the_line_that_mends_them(tmp_path: Path) -> None:
    other = [{"picture": b64(1), "query": f"Q{k}?", "gt": str(k)} for k in range(30)]
    found = check_sources(parse_config(config(tmp_path, ("mine", [row(1)]), ("other", other))))
    lines = found.text.splitlines()
    assert (
        "other 30 rows (row 1, row 2, row 3, …): missing_question: the row has no question: there is no question; "
        "its columns are picture, query, gt" in lines
    )
    assert lines[-1] == "other: its columns would be mapped by `fields: {question: query, answer: gt, image: picture}`"
    assert found.wrong == "no row can be used of 'other': correct the entry as said above, or remove it"
    mended = config(tmp_path, ("other", other))
    mended["sources"][0]["fields"] = yaml.safe_load(lines[-1].split("fields: ")[1].rstrip("`"))
    assert check_sources(parse_config(mended)).wrong == ""


def test_equal_faults_are_one_line(tmp_path: Path) -> None:
    rows = [row(k, image=f"{k}.png") for k in range(5)] + [row(9), row(10, answer=" ")]
    lines = check_sources(parse_config(config(tmp_path, ("mine", rows)))).text.splitlines()
    assert lines[-2:] == [
        "mine 5 rows (row 1, row 2, row 3, …): missing_image: such as '0.png': no such file",
        "mine row 7: empty_answer: there is no text in the answer",
    ]


def test_a_source_without_a_usable_row_ends_with_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(config(tmp_path, ("mine", [row(1)]), ("other", [row(2, image="x.png")]))))
    with pytest.raises(SystemExit) as stopped:
        main(["check", str(path)])
    assert stopped.value.code == 2
    said = capsys.readouterr()
    assert "| other  |    1 |        0 |" in said.out
    wrong = "visualprm: no row can be used of 'other': correct the entry as said above, or remove it\n"
    assert said.err == wrong
    with pytest.raises(SystemExit, match="2"):
        main(["check", str(path), "--json"])
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert said.err == wrong
    assert found.keys() == json_keys("check")
    assert found["sources"]["mine"] == {
        "rows": 1, "problems": 1, "duplicates": 0, "contaminated": None, "bad": {}, "answers": {"integer": 1},
    }  # fmt: skip
    assert found["total"]["bad"] == {"missing_image": 1}
    assert found["faults"] == [
        {"source": "other", "reason": "missing_image", "detail": "'x.png': no such file", "count": 1, "rows": ["row 1"]}
    ]
    assert (found["golds"], found["mends"]) == ({}, [])
    main(["check", str(path), "sources.1.path=" + str(tmp_path / "mine.jsonl"), "sources.0.limit=1"])


def test_duplicates_alone_are_no_fault(tmp_path: Path) -> None:
    found = check_sources(parse_config(config(tmp_path, ("mine", [row(1)]), ("same", [row(1)]))))
    assert found.wrong == ""
