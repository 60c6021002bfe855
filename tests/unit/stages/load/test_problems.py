"""`visualprm check` and the loading of a run: benchmarks compared with, the report, the table, the worked example."""

from __future__ import annotations

import io
import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pyarrow.parquet as pq
import pytest
import yaml

from pipeline.config import load_config, parse_config
from pipeline.errors import UserError
from pipeline.records import Problem, References, Rejected, Verdict, VerdictStatus, problem_from_row
from pipeline.store import Store
from stages.load import problems as loading
from stages.load.check import check_sources
from stages.load.problems import load_problems, read_sources
from tests.places import ROOT

pytestmark = pytest.mark.usefixtures("shared_verifiers")

LONG = "How many of the bars in the left chart are taller than the one that stands for Spain in {}?"


def picture(seed: int, side: int = 64) -> PIL.Image.Image:
    blocks = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    return PIL.Image.fromarray(blocks).resize((side, side), PIL.Image.Resampling.BICUBIC)


def write_rows(folder: Path, *rows: tuple[int, str, str], side: int = 64) -> Path:
    """Rows of (picture, question, answer) in a JSONL file of a folder of their own."""
    folder.mkdir()
    lines: list[str] = []
    for number, question, answer in rows:
        picture(number, side).save(folder / f"{number}.png")
        lines.append(
            json.dumps({"id": f"q{len(lines)}", "image": f"{number}.png", "question": question, "answer": answer})
        )
    (folder / "rows.jsonl").write_text("\n".join(lines))
    return folder / "rows.jsonl"


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    """Six rows, of which two are flagged, one is both, one is a duplicate and one is bad."""
    rows = write_rows(
        tmp_path / "mine",
        (1, "What is the third largest?", "4"),
        (2, LONG.format(2014), "3"),
        (3, "Which one?", "7"),
        (4, LONG.format(2015), "2"),
        (3, "Which one?", "7"),
        (3, "Which two?", "n.n."),
    )
    write_rows(tmp_path / "bench", (3, LONG.format(2013), "?"), (4, LONG.format(2015), "?"), side=200)
    return {
        "name": "x",
        "run_dir": str(tmp_path / "run"),
        "sources": [{"name": "mine", "path": str(rows), "verify": ["number"]}],
        "contamination": {"against": [{"name": "bench", "path": str(tmp_path / "bench/rows.jsonl")}]},
    }


def test_flags_a_report_and_the_table(settings: dict[str, Any], tmp_path: Path) -> None:
    config, store = parse_config(settings), Store(str(tmp_path / "run"))
    store.make()
    load_problems(store, config)
    rows = {row["row_id"]: row for path in store.problem_files() for row in pq.read_table(path).to_pylist()}
    assert {key: row["contamination"] for key, row in rows.items()} == {
        "q0": [],
        "q1": ["bench"],
        "q2": ["bench"],
        "q3": ["bench"],
    }
    report = [json.loads(line) for line in store.read_text("contamination.jsonl").splitlines()]
    assert [(row["id"], row["benchmark"], row["row_id"], row["kind"], row["dropped"]) for row in report] == [
        ("q1", "bench", "q0", "question", False),
        ("q2", "bench", "q0", "image", False),
        ("q3", "bench", "q1", "both", False),
    ]
    assert report[0]["problem_id"] == rows["q1"]["problem_id"]
    assert report[0]["ngram"] in LONG.format(2014).lower()

    header, _, mine, total, blank, overlaps, _, bad = check_sources(config).text.splitlines()
    assert [cell.strip() for cell in header.strip("|").split("|")][:6] == [
        "source", "rows", "problems", "duplicates", "contaminated", "bad",
    ]  # fmt: skip
    counts = ["6", "4", "1", "3", "1", "gold_rejected 1", "integer 4"]
    assert [cell.strip() for cell in mine.strip("|").split("|")] == ["mine", *counts]
    assert [cell.strip() for cell in total.strip("|").split("|")] == ["all", *counts]
    assert blank == ""
    assert overlaps == "overlap with bench: 1 both, 1 image, 1 question"
    assert bad.startswith("mine q5: gold_rejected: 'n.n.'")


def test_what_is_dropped_is_quarantined(settings: dict[str, Any], tmp_path: Path) -> None:
    config, store = parse_config(settings, ["contamination.drop=[both]"]), Store(str(tmp_path / "run"))
    store.make()
    load_problems(store, config)
    assert store.read_json("problems.json")["rejected"] == {"contaminated": 1, "duplicate": 1, "gold_rejected": 1}
    (dropped,) = (
        row
        for row in map(json.loads, store.read_text("quarantine/load.jsonl").splitlines())
        if row["reason"] == "contaminated"
    )
    assert dropped["id"] == "q3"
    assert re.match(r"as in bench, q1: an image differs by \d of 64 bits and shares the words '.*'", dropped["detail"])
    mine = [cell.strip() for cell in check_sources(config).text.splitlines()[2].strip("|").split("|")]
    assert mine[:6] == ["mine", "6", "3", "1", "3", "1"]  # dropped ones are counted as contaminated, too


def test_without_benchmarks_nothing_is_said_of_contamination(settings: dict[str, Any], tmp_path: Path) -> None:
    config, store = parse_config({**settings, "contamination": None}), Store(str(tmp_path / "run"))
    store.make()
    load_problems(store, config)
    assert not store.exists("contamination.jsonl")
    assert {row["contamination"] for path in store.problem_files() for row in pq.read_table(path).to_pylist()} == {None}
    assert check_sources(config).text.splitlines()[2].split("|")[5].strip() == "–"


# What the first check of an answer says, and what a later one does.
CHECKS: dict[str, tuple[VerdictStatus, VerdictStatus]] = {
    "5": ("timeout", "correct"),
    "6": ("error", "timeout"),
    "7": ("timeout", "incorrect"),
}


class BusyPool:
    """The first of them is late; each says the same again, as the real one does, which remembers a timeout."""

    made = 0

    def __init__(self, workers: int, time_limit_s: float) -> None:
        self._turn = BusyPool.made
        BusyPool.made += 1

    def __enter__(self) -> BusyPool:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    async def verify(self, gold: str, *_: object, **__: object) -> Verdict:
        return Verdict(CHECKS.get(gold, ("correct", "correct"))[min(self._turn, 1)])


@pytest.mark.parametrize("most_bytes", [loading.PART_BYTES, 1], ids=["at the end", "when memory is short"])
def test_a_busy_machine_rejects_no_problem_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_bytes: int
) -> None:
    monkeypatch.setattr(BusyPool, "made", 0)
    monkeypatch.setattr(loading, "VerifierPool", BusyPool)
    monkeypatch.setattr(loading, "PART_BYTES", most_bytes)
    rows = write_rows(tmp_path / "mine", *((int(answer), "Which?", answer) for answer in "56758"))
    settings = {"name": "x", "sources": [{"name": "mine", "path": str(rows), "verify": ["math"]}]}
    found = list(read_sources(parse_config(settings)))
    assert sorted(item.row_id for item in found if isinstance(item, Problem)) == ["q0", "q4"]
    assert {item.row_id: item.reason for item in found if isinstance(item, Rejected)} == {
        "q1": "gold_unsettled",
        "q2": "gold_rejected",
        "q3": "duplicate",
    }
    assert "'6' is timeout by math" in [item.detail for item in found if isinstance(item, Rejected)]


def test_a_benchmark_with_other_field_names_is_one_line(settings: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"'bench': none of its rows could be read \(2 missing_question\): correct its"):
        check_sources(parse_config(settings, ["contamination.against.0.fields.question=query"]))


FRUIT = ["apple", "pear", "plum"]


def write_choices(folder: Path, *rows: dict[str, Any]) -> Path:
    """Rows over one picture in a JSONL file of a folder of their own; `options` are fruit by default."""
    folder.mkdir(exist_ok=True)
    picture(1).save(folder / "1.png")
    whole = (
        {"id": f"q{n}", "image": "1.png", "question": f"Which {n}?", "options": FRUIT, **row}
        for n, row in enumerate(rows)
    )
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, whole)))
    return folder / "rows.jsonl"


def choices(tmp_path: Path, *rows: dict[str, Any], **source: Any) -> dict[str, Any]:
    path = write_choices(tmp_path / "mine", *rows)
    return {"name": "x", "run_dir": str(tmp_path / "run"), "sources": [{"name": "mine", "path": str(path), **source}]}


def loaded(tmp_path: Path, settings: dict[str, Any]) -> dict[str, Problem]:
    """What a run loads, as it reads it again from its problem files."""
    store = Store(str(tmp_path / "run"))
    store.make()
    load_problems(store, parse_config(settings))
    rows = (row for path in store.problem_files() for row in pq.read_table(path).to_pylist())
    return {row["row_id"]: problem_from_row(row) for row in rows}


def test_golds_that_can_mean_two_options_refuse_the_source_in_one_line(tmp_path: Path) -> None:
    settings = choices(tmp_path, {"answer": 1}, {"answer": 2}, {"answer": 1})
    with pytest.raises(
        UserError, match=r"source 'mine': gold: index0 and index1 both fit the 3 rows .* q0: .*; q1: .*; q2: "
    ) as error:
        check_sources(parse_config(settings))
    assert "set `gold: index0` or `gold: index1`" in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="gold: index0 and index1 both fit"):
        loaded(tmp_path, settings)
    settings["sources"][0]["gold"] = "index0"
    assert [problem.answer for problem in loaded(tmp_path, settings).values()] == ["B", "C", "B"]


def test_golds_that_no_reading_fits_refuse_the_source_in_one_line(tmp_path: Path) -> None:
    settings = choices(
        tmp_path, {"answer": "B"}, {"answer": "plum"}, {"answer": "nut"}, {"answer": "E"}, {"answer": "C"}
    )
    with pytest.raises(UserError, match=r"no reading fits all 5 rows .*\(letter 2, text 1, index0 0, index1 0\)"):
        check_sources(parse_config(settings))
    settings["sources"][0]["gold"] = "letter"
    report = check_sources(parse_config(settings)).text
    assert "gold_not_an_option 3" in report
    assert (
        "mine 3 rows (q1, q2, q3): gold_not_an_option: such as 'plum' is none of the 3 options (gold: letter)" in report
    )


def test_whole_numbers_beside_options_in_the_question_may_be_indices(tmp_path: Path) -> None:
    """As texts, `1` of the second row would pass for its option A, and 0 for no option."""
    rows = [
        {"question": "Which? (A) 30 (B) 40", "answer": 0},
        {"question": "How long? (A) 1 (B) 2", "answer": 1},
        {"question": "What else?", "answer": 7},
    ]
    settings = choices(tmp_path, *({**row, "options": None} for row in rows))
    with pytest.raises(
        UserError, match=r"only index0 fits all 2 rows .* q0: '0' of '30 \| 40'; .* or `gold: letter` if they"
    ):
        check_sources(parse_config(settings))
    settings["sources"][0]["gold"] = "letter"
    assert {key: problem.answer for key, problem in loaded(tmp_path, settings).items()} == {
        "q0": "0",
        "q1": "1",
        "q2": "7",
    }
    # A free answer is wanted of the third row, but its source says that golds are indices.
    settings["sources"][0]["gold"] = "index0"
    assert {key: problem.answer for key, problem in loaded(tmp_path, settings).items()} == {"q0": "A", "q1": "B"}


def test_whole_numbers_that_are_texts_of_options_in_the_question(tmp_path: Path) -> None:
    rows = [{"question": f"Which? (A) 1 (B) {n} (C) {n + 1}", "answer": n, "options": None} for n in (2, 3)]
    settings = choices(tmp_path, *rows)
    assert {key: problem.answer for key, problem in loaded(tmp_path, settings).items()} == {"q0": "2", "q1": "3"}


def test_a_limit_does_not_change_what_golds_mean(tmp_path: Path) -> None:
    """All rows are read, those that the limit leaves out too."""
    settings = choices(tmp_path, {"answer": 1}, {"answer": 0}, {"answer": 1}, {"answer": 0}, limit=2)
    assert [problem.answer for problem in loaded(tmp_path, settings).values()] == ["B", "B"]


def test_the_reading_is_recorded_and_later_rows_do_not_change_it(tmp_path: Path) -> None:
    settings = choices(tmp_path, {"answer": 1}, {"answer": 0}, {"answer": "1", "options": None})
    store = Store(str(tmp_path / "run"))
    assert sorted(problem.answer for problem in loaded(tmp_path, settings).values()) == ["1", "A", "B"]
    assert store.read_json("gold.json") == {"mine": "index0"}
    assert "gold of mine: index0 (auto)" in check_sources(parse_config(settings)).text
    # Alone, these would be indices from 1, or letters.
    write_choices(tmp_path / "mine", {"answer": 1}, {"answer": 3}, {"answer": "B"})
    found = loaded(tmp_path, settings)
    assert {key: problem.answer for key, problem in found.items()} == {"q0": "B"}
    assert store.read_json("problems.json")["rejected"] == {"gold_not_an_option": 2}


def test_sources_without_options_record_nothing(tmp_path: Path, settings: dict[str, Any]) -> None:
    store = Store(str(tmp_path / "run"))
    store.make()
    load_problems(store, parse_config(settings))
    assert not store.exists("gold.json")
    (schema,) = {pq.read_schema(path).names[-1] for path in store.problem_files()}
    assert schema == "contamination"


def test_several_references_are_loaded_checked_and_kept(tmp_path: Path) -> None:
    rows = [
        {"answer": ["red", "dark red", "red"]},
        {"answer": ["two", "2", "pink"]},
        {"answer": ["pink", "red", "dark"]},
        {"answer": ["same", "same"]},
    ]
    settings = choices(tmp_path, *({**row, "options": None} for row in rows), verify=["number", "text"])
    assert "several_references 3" in check_sources(parse_config(settings)).text
    settings["sources"][0]["references"] = {"at_least": 2}
    found = loaded(tmp_path, settings)
    assert {key: (problem.answer, problem.references) for key, problem in found.items()} == {
        "q0": ("red", References(("red", "dark red", "red"), 2)),
        "q1": ("two", References(("two", "2", "pink"), 2)),
        "q3": ("same", None),
    }
    (rejected,) = (json.loads(line) for line in (tmp_path / "run/quarantine/load.jsonl").read_text().splitlines())
    assert rejected["reason"] == "gold_rejected"
    assert rejected["detail"].endswith("is incorrect by number, text: it must equal 2 of 3 references")


def test_a_gold_that_is_a_text_is_right_in_every_mode_for_texts(tmp_path: Path) -> None:
    golds = ["U.S.", "2:35 P.M.", "5:0", "a.m.", "C++", "3 p.m.", "Yes", "P.S.", "A-1"]
    rows = [{"answer": gold, "verify": [mode]} for gold in golds for mode in ("text", "exact", "relaxed", "anls")]
    found = loaded(tmp_path, choices(tmp_path, *({**row, "options": None} for row in rows)))
    assert [found[f"q{number}"].answer for number in range(len(rows))] == [row["answer"] for row in rows]


def test_the_worked_example_of_the_docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/adding_a_source.md, as a reader would type it."""
    text = (ROOT / "docs/adding_a_source.md").read_text()
    example = text[text.index("## A worked example") :]
    blocks = re.findall(r"```(\w*)\n(.*?)```", example, re.DOTALL)
    config, rows, command, printed = (block for _, block in blocks)
    (tmp_path / "prompts").symlink_to(ROOT / "prompts")
    (tmp_path / "mine/images").mkdir(parents=True)
    (tmp_path / "mine.yaml").write_text(config)
    (tmp_path / "mine/questions.jsonl").write_text(rows)
    out = io.BytesIO()
    picture(1).save(out, "PNG")
    for line in rows.splitlines():
        (tmp_path / "mine/images" / json.loads(line)["image"]).write_bytes(out.getvalue())
    monkeypatch.chdir(tmp_path)
    assert yaml.safe_load(config)["sources"]
    program, action, file = shlex.split(command)
    assert (program, action) == ("visualprm", "check")
    assert check_sources(load_config(file)).text == printed.strip()
