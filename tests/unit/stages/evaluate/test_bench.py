"""Reading benches: both layouts, folder and zip, blank lines, and every kind of row that can't be used."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline.errors import RowError, UserError
from stages.evaluate.bench import read_bench


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "PNG")
    return buffer.getvalue()


def row(**changes: Any) -> dict[str, Any]:
    return {
        "image": ["images/a.png"],
        "question": "How many?",
        "answer": "2",
        "response": {"steps": ["One.\n\nStill one.", "Two.", "So 2."], "process_correctness": [1, 0, -1]},
        "policy_model": "GPT-4o",
        "data_source": "MMMU",
        **changes,
    }


def write(folder: Path, *rows: Mapping[str, Any] | str, images: str = "folder") -> Path:
    lines = [one if isinstance(one, str) else json.dumps(one) for one in rows]
    (folder / "test.jsonl").write_text("\n".join(lines) + "\n")
    if images == "folder":
        (folder / "images").mkdir()
        (folder / "images" / "a.png").write_bytes(png())
    else:
        with zipfile.ZipFile(folder / "images.zip", "w") as archive:
            archive.writestr(images, png())
    return folder


@pytest.mark.parametrize("images", ["folder", "images/a.png", "a.png"])
def test_the_released_layout(tmp_path: Path, images: str) -> None:
    bench = read_bench(write(tmp_path, row(), images=images))
    (sample,) = bench.samples
    assert (sample.source, sample.policy, sample.labels) == ("MMMU", "GPT-4o", (1, 0, -1))
    item = bench.item(sample)
    assert item.images == (png(),)
    # A blank line inside a step is no border between steps.
    assert item.steps == ("One.\n\nStill one.", "Two.", "So 2.")


def test_a_file_alone_and_images_named_from_their_own_folder(tmp_path: Path) -> None:
    folder = write(tmp_path, row(image="a.png"))
    bench = read_bench(folder / "test.jsonl")
    assert bench.item(bench.samples[0]).images == (png(),)


def test_images_behind_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "snapshot").mkdir()
    folder = write(tmp_path / "blobs", row())
    for name in ("test.jsonl", "images"):
        (tmp_path / "snapshot" / name).symlink_to(folder / name)
    bench = read_bench(tmp_path / "snapshot")
    assert bench.item(bench.samples[0]).images == (png(),)


@pytest.mark.parametrize("text", ["array", "lines"])
def test_process_bench_marks_the_first_error_and_nothing_after_it(tmp_path: Path, text: str) -> None:
    base = {
        "generator": "Qwen2-7B-Instruct",
        "problem": "1+1?",
        "steps": ["a", "b", "c"],
        "final_answer_correct": False,
    }
    rows = [{**base, "id": "gsm8k-0", "label": 1}, {**base, "id": "gsm8k-1", "label": -1}]
    content = json.dumps(rows) if text == "array" else "\n".join(map(json.dumps, rows))
    (tmp_path / "gsm8k.json").write_text(content)
    bench = read_bench(tmp_path)
    assert [sample.labels for sample in bench.samples] == [(1, -1, 0), (1, 1, 1)]
    assert [sample.sample_id for sample in bench.samples] == ["gsm8k-0", "gsm8k-1"]
    assert {(sample.source, sample.policy) for sample in bench.samples} == {("gsm8k", "Qwen2-7B-Instruct")}
    assert bench.item(bench.samples[0]).images == ()


def response(steps: Any, labels: Any) -> dict[str, Any]:
    return {"steps": steps, "process_correctness": labels}


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("{not json", "not_json"),
        ("[1]", "not_an_object"),
        ({"question": "?"}, "unknown_layout"),
        (row(image=["images/none.png"]), "image_missing"),
        (row(image=["../test.jsonl"]), "image_missing"),
        (row(image=["/etc/passwd"]), "image_missing"),
        (row(image=5), "image_missing"),
        (row(response=response([], [])), "no_steps"),
        (row(response=response("a\n\nb", [1, 1])), "no_steps"),
        (row(response=response(["a", "b"], [1])), "labels_do_not_match"),
        (row(response=response(["a"], [2])), "unknown_label"),
        (row(response=response(["a"], [True])), "unknown_label"),
        (row(response=response(["a"], [None])), "unknown_label"),
        (row(question=None), "no_question"),
        (row(), "duplicate"),
        ({"id": "x", "problem": "?", "steps": ["a"], "label": 1}, "unknown_label"),
    ],
)
def test_rows_that_cannot_be_used_are_counted_with_a_reason(tmp_path: Path, bad: Any, reason: str) -> None:
    bench = read_bench(write(tmp_path, row(), bad))
    assert len(bench.samples) == 1
    assert [one.reason for one in bench.rejected] == [reason]
    assert bench.rejected[0].row_id == "row 2"


def test_a_bench_without_a_usable_row_says_what_is_wrong_with_the_first(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none of 1 rows can be used; the first: image_missing"):
        read_bench(write(tmp_path, row(image=["none.png"])))
    with pytest.raises(UserError, match="no bench there"):
        read_bench(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("member", "name"),
    [
        ("images/a.png", "./images/a.png"),
        ("VPB/a.png", "images/a.png"),
        ("a.png", "images/a.png"),
        ("a.png", "pictures/a.png"),
    ],
)
def test_archives_are_packed_in_more_than_one_way(tmp_path: Path, member: str, name: str) -> None:
    (tmp_path / "test.jsonl").write_text(json.dumps(row(image=[name])) + "\n")
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        archive.writestr(member, png())
        archive.writestr(f"__MACOSX/{member}", b"no picture")
        archive.writestr(".DS_Store", b"")
    bench = read_bench(tmp_path)
    assert bench.item(bench.samples[0]).images == (png(),)


def test_an_image_is_found_under_its_own_folder_alone(tmp_path: Path) -> None:
    """Two benchmarks may number their pictures alike."""
    rows = [row(image=[f"{name}/1.png"]) for name in ("MathVerse", "WeMath")]
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.writestr("MathVerse/1.png", png())
        archive.writestr("DynaMath/2.png", png())
    bench = read_bench(tmp_path)
    assert [one.images for one in bench.samples] == [("MathVerse/1.png",)]
    assert [one.reason for one in bench.rejected] == ["image_missing"]


def test_a_member_of_an_archive_that_is_broken_is_the_rows_own_error(tmp_path: Path) -> None:
    folder = write(tmp_path, row(), images="a.png")
    with zipfile.ZipFile(folder / "images.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(range(256)) * 40)
    data = bytearray((folder / "images.zip").read_bytes())
    data[40:60] = b"\xff" * 20
    (folder / "images.zip").write_bytes(data)
    bench = read_bench(folder)
    with pytest.raises(RowError, match="image_unreadable"):
        bench.item(bench.samples[0])


def test_placeholders_that_do_not_match_the_images_are_taken_out(tmp_path: Path) -> None:
    rows = [row(question="<image>How <image>many?"), row(question="<image>How many?"), row(question="See <image1>.")]
    bench = read_bench(write(tmp_path, *rows))
    assert [bench.item(one).question for one in bench.samples] == ["How many?", "<image>How many?", "See <image1>."]


def test_ids_depend_on_the_content_alone(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    other = row(policy_model="other")
    one = read_bench(write(tmp_path / "one", row(), other))
    two = read_bench(write(tmp_path / "two", other, row()))
    assert [s.sample_id for s in one.samples] == [s.sample_id for s in reversed(two.samples)]
