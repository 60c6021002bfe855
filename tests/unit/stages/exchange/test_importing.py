"""Released corpora → our Parquet → the same corpora again."""

from __future__ import annotations

import json
import random
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.cli import main
from pipeline.errors import UserError
from stages.exchange import conversations, raw
from stages.exchange.exporting import export_dataset
from stages.exchange.format import ExportOptions, ImportOptions
from stages.exchange.importing import import_corpus
from stages.exchange.labels import labelled_turns
from stages.publish.reading import read_rows
from tests.unit.stages.exchange.corpus import (
    NAME,
    image_names,
    make_rows,
    png,
    raw_row,
    reference_conversations,
    write_release,
)

SYSTEM = "Judge each step."
OPTIONS = ExportOptions(NAME, SYSTEM)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("release"), make_rows())


@pytest.fixture(scope="module")
def imported(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("imported") / "ours"
    import_corpus("raw", str(release), str(out), ImportOptions())
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_raw_comes_back_byte_for_byte(release: Path, imported: Path, tmp_path: Path) -> None:
    export_dataset(str(imported), "raw", str(tmp_path / "raw"), OPTIONS)
    (tmp_path / "raw/README.md").unlink()
    assert contents(tmp_path / "raw") == contents(release)


@settings(max_examples=30, deadline=None)
@given(st.integers(), st.sampled_from([0.0, 0.0625, 0.125, 0.5]), st.booleans())
def test_any_record_gives_the_references_conversation(seed: int, threshold: float, early_stop: bool) -> None:
    record = raw_row(random.Random(seed), "a.png", "Q?")
    columns = raw.read(record, threshold=0.0)
    turns = labelled_turns(columns["steps_with_score"], threshold, early_stop)
    (wanted,) = reference_conversations([record], threshold, early_stop, SYSTEM)
    assert conversations.write(columns["prompt"], turns, "a.png", SYSTEM) == wanted
    rendered = raw.write(columns, "a.png", lenient=True)
    assert {key: rendered[key] for key in record} == record


@pytest.mark.parametrize(("threshold", "early_stop"), [(0.0, False), (0.0, True), (0.0625, False), (0.25, True)])
def test_conversations_equal_the_references_post_processing(
    release: Path, imported: Path, tmp_path: Path, threshold: float, early_stop: bool
) -> None:
    out = tmp_path / "talk"
    export_dataset(str(imported), "conversations", str(out), ExportOptions(NAME, SYSTEM, threshold, early_stop))
    for file, rows in make_rows().items():
        assert lines(out / file.replace(".jsonl", "_prm.jsonl")) == reference_conversations(
            rows, threshold, early_stop, SYSTEM
        )
    for name in image_names(make_rows()):
        assert (out / "images" / name).is_file()
    meta = json.loads((out / "meta.json").read_text())
    assert meta["AI2D_train"] == {
        "root": f"{out}/images/",
        "annotation": f"{out}/AI2D_train_prm.jsonl",
        "data_augment": False,
        "repeat_time": 1,
        "length": 48,
    }


def test_published_labels_are_those_of_the_import(release: Path, imported: Path, tmp_path: Path) -> None:
    export_dataset(str(imported), "conversations", str(tmp_path / "talk"), OPTIONS)
    rows = make_rows()["nlvr2_en.jsonl"]
    assert lines(tmp_path / "talk/nlvr2_en_prm.jsonl") == reference_conversations(rows, 0.0, False, SYSTEM)


def test_conversations_come_back_byte_for_byte(imported: Path, tmp_path: Path) -> None:
    first, ours, again = tmp_path / "first", tmp_path / "ours", tmp_path / "again"
    export_dataset(str(imported), "conversations", str(first), OPTIONS)
    import_corpus("conversations", str(first), str(ours), ImportOptions(single_turn=True))
    export_dataset(str(ours), "conversations", str(again), ExportOptions(NAME, "unused: the rows bring their own"))
    before, after = contents(first), contents(again)
    assert before.pop("meta.json") == after.pop("meta.json").replace(str(again).encode(), str(first).encode())
    assert before == after


def test_the_commands_do_the_same(release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (
        ["import", "raw", str(release), str(tmp_path / "ours"), "--images", str(release / "images"), "--drop", "1"],
        ["export", str(tmp_path / "ours"), "conversations", str(tmp_path / "talk"), "--cut-after-error"],
    ):
        main(command)
    printed = capsys.readouterr().out
    assert "37 problems · 144 solutions" in printed
    assert "144 rows in 3 files" in printed
    system = Path("prompts/prm_system_v1.txt").read_text().strip()
    rows = make_rows()["AI2D_train.jsonl"]
    assert lines(tmp_path / "talk/AI2D_train_prm.jsonl") == reference_conversations(rows, 0.0, True, system)
    with pytest.raises(SystemExit) as caught:
        main(["import", "raw", str(release), str(tmp_path / "other"), "--drop", "4"])
    assert caught.value.code == 2


def test_a_zip_and_a_zip_in_parts_give_the_same_dataset(release: Path, imported: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    packed.mkdir()
    shutil.make_archive(str(packed / "annotations"), "zip", release, "annotations")
    whole = Path(shutil.make_archive(str(tmp_path / "images"), "zip", release, "images")).read_bytes()
    size = len(whole) // 3 + 1
    for number, suffix in enumerate(("aa", "ab", "ac")):
        (packed / f"images.zip_{suffix}").write_bytes(whole[number * size : (number + 1) * size])
    import_corpus("raw", str(packed), str(tmp_path / "ours"), ImportOptions())
    ours = contents(tmp_path / "ours")
    assert ours["train-00000-of-00001.parquet"] == contents(imported)["train-00000-of-00001.parquet"]

    (packed / "images.zip_ab").unlink()
    with pytest.raises(UserError, match=r"images.zip_ab: this part is missing"):
        import_corpus("raw", str(packed), str(tmp_path / "other"), ImportOptions())
    (packed / "images.zip_ab").write_bytes(whole[size : 2 * size])
    (packed / "images.zip_ac").unlink()
    with pytest.raises(UserError, match=r"images.zip_aa: can't be read"):
        import_corpus("raw", str(packed), str(tmp_path / "other"), ImportOptions())
    with zipfile.ZipFile(packed / "annotations.zip") as archive:
        assert len(archive.namelist()) >= 3


def test_rows_of_a_problem_stand_together_in_order_and_share_an_image(release: Path, imported: Path) -> None:
    rows = list(read_rows(str(imported)))
    assert len(rows) == 3 * 48
    ids = [row["id"] for row in rows]
    assert len(set(ids)) == len(ids)
    assert ids == sorted(ids)
    problems = [key.split("/")[0] for key in ids]
    # 12 problems of 3 sources; the row without `question_orig` can't be told to belong to its own.
    assert len(set(problems)) == 37
    assert all(key.split("/")[1] == "imported" for key in ids)
    file = pq.ParquetFile(imported / "train-00000-of-00001.parquet")
    assert {len(row["images"]) for row in rows if row["source"] == "nlvr2_en"} == {2}
    assert file.metadata.num_row_groups == 1


def test_what_was_not_measured_is_null(release: Path, imported: Path) -> None:
    wanted = {
        (file.removesuffix(".jsonl"), number): row["steps_with_score"]
        for file, rows in make_rows().items()
        for number, row in enumerate(rows, 1)
    }
    seen = set()
    for row in read_rows(str(imported)):
        kept = json.loads(row["extra"])
        for step, record in zip(row["steps_with_score"], wanted[row["source"], kept["row"]], strict=True):
            seen.add(step["origin"])
            if record["num_mc_total"] == 0:
                assert (step["score"], step["num_mc_correct"], step["num_mc_total"], step["label"]) == (None,) * 4
                assert step["origin"] == "not_sampled"
            else:
                assert (step["score"], step["num_mc_correct"]) == (record["score"], record["num_mc_correct"])
                assert step["label"] == ("+" if record["score"] > 0 else "-")
        assert row["response_correct"] is None
        assert row["policy_model"] is None
    assert seen == {"measured", "not_sampled"}
    stats = json.loads((imported / "stats.json").read_text())
    assert stats["total"]["correct_response_share"] is None
    assert stats["total"]["solutions"] == 144
    assert stats["total"]["incorrect_step_share"] > 0
    assert stats["label"] == {"threshold": 0, "missing": None}


def test_datasets_loads_an_import(imported: Path, tmp_path: Path) -> None:
    import datasets

    loaded = datasets.load_dataset("parquet", data_dir=str(imported), split="train", cache_dir=str(tmp_path))
    assert loaded[0]["images"][0].size[1] == 8


def test_bad_rows_are_named_and_the_others_go_on(tmp_path: Path) -> None:
    rng = random.Random(1)
    good = [raw_row(rng, "a.png", "Q?") for _ in range(3)]
    bad: dict[str, Any] = {
        "bad_counts": {
            **good[0],
            "steps_with_score": [{"step": "x", "score": 0.5, "num_mc_correct": 1, "num_mc_total": 16}],
        },
        "missing_field": {key: value for key, value in good[0].items() if key != "response"},
        "wrong_type": {**good[0], "image": 7},
        "no_steps": {**good[0], "steps_with_score": []},
        "bad_score": {**good[0], "steps_with_score": [{"step": "x", "score": float("nan")}]},
        "missing_image": {**good[0], "image": "gone.png"},
        "image_outside_root": {**good[0], "image": "../secret.png"},
        "not_utf8": {**good[0], "response": "\ud800"},
        "not_an_object": [1],
    }
    (tmp_path / "images").mkdir()
    (tmp_path / "secret.png").write_bytes(png(1))
    (tmp_path / "images/a.png").write_bytes(png(2))
    text = [json.dumps(row) for row in [*good, *bad.values()]] + ["{broken", ""]
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/s.jsonl").write_text("\n".join(text))
    table = import_corpus("raw", str(tmp_path), str(tmp_path / "out"), ImportOptions())
    stats = json.loads((tmp_path / "out/stats.json").read_text())
    assert stats["total"]["solutions"] == 3
    assert stats["total"]["quarantined"] == dict.fromkeys(sorted([*bad, "invalid_json"]), 1)
    assert "left out: bad_counts 1, bad_score 1, image_outside_root 1" in table
    named = {entry["reason"]: entry["row"] for entry in lines(tmp_path / "out.rejected.jsonl")}
    assert named == {**{reason: number for number, reason in enumerate(bad, 4)}, "invalid_json": 13}


def test_single_turns_are_told_apart(tmp_path: Path) -> None:
    def talk(*turns: str, system: str | None = "S") -> dict[str, Any]:
        says = [{"from": "system", "value": system}] if system else []
        for index, value in enumerate(turns):
            says.append({"from": "gpt" if index % 2 else "human", "value": value})
        return {"id": -1, "image": "a.png", "conversations": says}

    head = "### Question:\n<image>\nQ\n\n### Solution Process:\nfirst"
    rows = [
        talk(head, "+", "second", "-"),
        talk(head, "+", "second", "-", "third", "+", system=None),
        talk(head, "+"),
        talk(head, "+", "second", "maybe"),
        talk("Q first", "+", "second", "-"),
        talk(head, "+", "second"),
    ]
    (tmp_path / "images").mkdir()
    (tmp_path / "images/a.png").write_bytes(png(2))
    (tmp_path / "v1_prm.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_corpus("conversations", str(tmp_path / "v1_prm.jsonl"), str(tmp_path / "out"), ImportOptions())
    figures = json.loads((tmp_path / "out/stats.json").read_text())
    # Nobody told how these labels were made.
    assert figures["label"] is None
    stats = figures["sources"]["v1"]
    assert stats["solutions"] == 2
    # `head, +, second` has one label too: nothing else tells it from a row that judges a whole response.
    assert stats["quarantined"] == {"not_a_label": 1, "odd_turns": 1, "single_turn": 2}
    assert stats["mean_mc"] is None
    assert stats["incorrect_step_share"] == 2 / 5
    found = sorted(read_rows(str(tmp_path / "out")), key=lambda row: len(row["steps_with_score"]))
    assert [step["label"] for step in found[1]["steps_with_score"]] == ["+", "-", "+"]
    assert found[0]["response"] == "first\n\nsecond"
    assert found[0]["prompt"] == "<image>\nQ"
    assert found[0]["answer"] is None
    assert {step["score"] for row in found for step in row["steps_with_score"]} == {None}
    assert [json.loads(row["extra"])["system"] for row in found] == ["S", None]

    import_corpus(
        "conversations", str(tmp_path / "v1_prm.jsonl"), str(tmp_path / "out"), ImportOptions(single_turn=True)
    )
    assert json.loads((tmp_path / "out/stats.json").read_text())["total"]["solutions"] == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda base: shutil.rmtree(base / "images"), "none lie beside it: give --images"),
        (lambda base: (base / "images/a.png").unlink(), "is not there: correct --images or --drop"),
        (lambda base: (base / "annotations/s.jsonl").write_text("{}\n"), "no row could be used"),
        (lambda base: (base / "annotations/s.jsonl").unlink(), "holds no .jsonl file"),
    ],
)
def test_a_corpus_that_cannot_be_used_is_one_line(tmp_path: Path, change: Any, message: str) -> None:
    base = tmp_path / "release"
    (base / "annotations").mkdir(parents=True)
    (base / "images").mkdir()
    (base / "images/a.png").write_bytes(png(2))
    (base / "annotations/s.jsonl").write_text(json.dumps(raw_row(random.Random(1), "x/a.png", "Q?")))
    change(base)
    with pytest.raises(UserError, match=message) as caught:
        import_corpus("raw", str(base), str(tmp_path / "out"), ImportOptions())
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".visualprm-*"))


def test_a_threshold_for_labels_without_scores_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--threshold 0\.5: conversations have labels"):
        import_corpus("conversations", str(tmp_path), str(tmp_path / "out"), ImportOptions(threshold=0.5))
