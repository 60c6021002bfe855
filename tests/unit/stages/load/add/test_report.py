"""`visualprm add` as a user calls it: what it says and writes, and the mistakes it tells in one line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from pipeline.cli import main
from pipeline.config import load_config
from stages.load.add import finding, report
from tests.unit.stages.load.add import benchmarks
from tests.unit.stages.load.add.benchmarks import b64, png


def add(*words: object) -> int:
    """The exit status of `visualprm add` with these words."""
    try:
        main(["add", *map(str, words)])
    except SystemExit as stopped:
        return int(stopped.code or 0)
    return 0


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prompts are found from the working directory, where the config is written, too."""
    root = Path(__file__).parents[5]
    (tmp_path / "here").mkdir()
    (tmp_path / "here/prompts").symlink_to(root / "prompts")
    monkeypatch.chdir(tmp_path / "here")


def test_the_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pets").mkdir()
    assert add(*benchmarks.coded_pictures(tmp_path / "pets"), "--name", "pets") == 0
    said = capsys.readouterr().out
    assert "a table (TSV); 3 rows, all looked at" in said
    assert "--- 1004 (1 image)\nLook up.\nWho?\nA. owl\nB. cat\n=> A" in said
    assert "| pets   |    3 |        3 |" in said
    source = load_config("pets.yaml").sources[0]
    assert (source.borrow_images, source.gold, source.fields.options) == ("index", "letter", ("A", "B", "C"))
    assert "# of the 3 rows with options fit: letter 100%" in Path("pets.yaml").read_text()
    with PIL.Image.open("pets.png") as sheet:
        assert {(40 * number % 256, 90, 200 - 9 * number) for number in (1, 2, 3)} <= {
            color for _, color in sheet.getcolors(1 << 20) or []
        }


def test_the_example_of_the_docs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """docs/adding_a_source.md, as a reader would type it."""
    text = (Path(__file__).parents[5] / "docs/adding_a_source.md").read_text()
    _, rows, command, printed = re.findall(r"```\n(.*?)```", text, re.DOTALL)[:4]
    Path("pets/pictures").mkdir(parents=True)
    Path("pets/rows.csv").write_text(rows)
    Path("pets/pictures/x.png").write_bytes(png(1))
    program, action, *words = command.split()
    assert (program, action) == ("visualprm", "add")
    assert add(*words) == 0
    # What each mode can read is the verifier's matter.
    said, shown = (re.sub(r"each reads: .*", "", text.strip()) for text in (capsys.readouterr().out, printed))
    assert said == shown


def test_what_the_demos_policy_is_good_for_and_what_to_type_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert add(*benchmarks.coded_pictures(tmp_path), "--name", "pets") == 0
    *_, warning, check, plan, dataset = capsys.readouterr().out.rstrip().splitlines()
    assert warning.startswith("next: set engine.model in pets.yaml; demo/policy solves the demo's charts only")
    commands = [line.split("#")[0].split() for line in (check, plan, dataset)]
    assert commands == [["visualprm", command, "pets.yaml"] for command in ("check", "plan", "dataset")]
    assert "  model: demo/policy  # solves the demo's charts only: put yours here" in Path("pets.yaml").read_text()


def test_a_config_that_is_there_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("pets.yaml").write_text("mine")
    assert add(*benchmarks.coded_pictures(tmp_path), "--name", "pets") == 2
    assert capsys.readouterr().err == "visualprm: pets.yaml: is there already: remove it, or name another with --out\n"
    assert Path("pets.yaml").read_text() == "mine"


def indices(path: Path) -> Path:
    rows = [{"image": b64(1), "question": f"Which {k}?", "choices": ["cat", "owl", "newt"], "label": 1} for k in (1, 2)]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_an_index_that_can_be_two_is_refused_until_a_person_says_which(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = indices(tmp_path / "pets.jsonl")
    assert add(path) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert "index0 and index1 both fit the 2 rows with options and mean different ones" in said.err
    text = Path("pets.yaml").read_text()
    assert "    # gold: index0  # or index1:" in text
    edited = text.replace("# gold: index0", "gold: index0")
    assert yaml.safe_load(edited)["sources"][0]["gold"] == "index0"
    Path("pets.yaml").unlink()
    assert add(path, "gold=index1") == 0
    assert "=> A" in capsys.readouterr().out


def test_what_is_given_is_not_guessed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"img": b64(1), "question": "A hint?", "ask": "How many?", "answer": "no", "truth": 4}]
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert add(tmp_path / "x.jsonl", "fields.question=ask", "fields.answer=truth", "verify=[number]") == 0
    assert "How many?\n=> 4" in capsys.readouterr().out
    source = load_config("x.yaml").sources[0]
    assert (source.fields.question, source.fields.answer, source.verify) == ("ask", "truth", ("number",))


def test_a_large_source_is_sampled_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "SAMPLE", 4)
    monkeypatch.setattr(report, "SAMPLE", 4)
    monkeypatch.setattr(report, "MAX_CHECKED", 10)
    rows = [{"image": b64(1), "question": f"How many {k}?", "answer": str(k)} for k in range(12)]
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert add(tmp_path / "x.jsonl") == 0
    said = capsys.readouterr().out
    assert "12 rows, of which 4 were looked at, evenly spaced" in said
    assert "checked: 4 of the rows; `visualprm check x.yaml` reads all" in said
    assert load_config("x.yaml").sources[0].limit is None


@pytest.mark.parametrize(
    ("files", "words", "message"),
    [
        ({}, ["nothing.csv"], "nothing.csv: no such file or folder; correct the path"),
        ({"d/notes.txt": ""}, ["d"], "d: no file of rows in this folder"),
        ({"d/a.json": [{"question": "Q?", "answer": "1"}], "d/b.csv": "question,answer\nQ?,1\n"}, ["d"],
         "d: 2 files of rows: name one, or two that belong together: d/a.json, d/b.csv"),
        ({"d/a.json": [{"question": "Q?"}], "d/b.json": [{"answer": "1"}]}, ["d/a.json", "d/b.json"],
         "no column of d/a.json names the rows of d/b.json: join them by hand"),
        ({"a.json": {"config": {"seed": 1}}}, ["a.json"], "nothing in the file looks like a row with a question or an answer"),
        ({"a.json": {"train": [{"question": "Q?", "answer": "1"}], "test": [{"question": "P?", "answer": "2"}]}}, ["a.json"],
         "rows at train, test: name one as rows=…, or rows='*' for all"),
        ({"a.xlsx": ""}, ["a.xlsx"], "unknown file type '.xlsx'; use one of .jsonl"),
        ({}, ["gold=letter"], "add: name a file, folder or dataset before the settings"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(
    files: dict[str, Any], words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, content in files.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(content if isinstance(content, str) else json.dumps(content))
    assert add(*words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_columns_that_are_called_like_nothing_are_left_to_the_user(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pq.write_table(pa.Table.from_pylist([{"p": png(1), "words": "How many?", "z9": "3"}]), tmp_path / "x.parquet")
    assert add(tmp_path / "x.parquet") == 2
    said = capsys.readouterr()
    assert "answer: …}  # no column is called like one; there are p, words, z9" in said.out
    assert "no row can be used of 'x'" in said.err


def test_a_dataset_of_the_hub(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    rows = datasets.Dataset.from_list([{"image": {"bytes": png(1), "path": None}, "query": "How many?", "label": "3"}])
    for module in ("add.layouts", "sources.hub"):
        monkeypatch.setattr(f"stages.load.{module}.ask_hub", lambda name, kind: None)
    monkeypatch.setattr(datasets, "get_dataset_config_names", lambda name: ["default"])
    monkeypatch.setattr(datasets, "get_dataset_split_names", lambda name, config: ["train", "test"])
    monkeypatch.setattr(datasets, "load_dataset", lambda *words, **more: rows.to_iterable_dataset())
    assert add("someone/pets") == 2
    assert capsys.readouterr().err == "visualprm: someone/pets: has the splits train, test: add split=…\n"
    assert add("someone/pets", "split=test") == 0
    assert "a dataset of the hub, split test; the first 1 rows were looked at" in capsys.readouterr().out
    source = load_config("pets.yaml").sources[0]
    assert (source.dataset, source.split, source.fields.question, source.fields.answer) == (
        "someone/pets",
        "test",
        "query",
        "label",
    )
