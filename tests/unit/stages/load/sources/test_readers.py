"""The doors of a source: file formats, archives of images, datasets, functions; and what stays shut."""

import csv
import io
import json
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config import SourceConfig
from pipeline.errors import UserError
from pipeline.records import Problem, Rejected
from stages.load.parse import load


def png(seed: int = 0) -> bytes:
    out = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), dtype=np.uint8)
    PIL.Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def run(**config: Any) -> list[Any]:
    return list(load(SourceConfig(name="s", **config), lambda problem: None))


def reasons(results: list[Any]) -> list[str | None]:
    return [result.reason if isinstance(result, Rejected) else None for result in results]


def rows(count: int) -> list[dict[str, Any]]:
    return [{"image": "a.png", "question": f"Question {k}?", "answer": str(k)} for k in range(count)]


@pytest.fixture(autouse=True)
def image_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())


@pytest.mark.parametrize("content", [rows(2), {"version": 1, "data": rows(2)}])
def test_json(tmp_path: Path, content: Any) -> None:
    (tmp_path / "x.json").write_text(json.dumps(content), encoding="utf-8-sig")
    assert reasons(run(path=str(tmp_path / "x.json"))) == [None, None]


def test_json_rows_of_the_wrong_type(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps([1, *rows(1)]))
    assert reasons(run(path=str(tmp_path / "x.json"))) == ["wrong_type", None]


def test_csv(tmp_path: Path) -> None:
    with (tmp_path / "x.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "image", "question", "answer", "options"])
        writer.writerow(["q1", "a.png", 'Which, "左"\nor 右?', "B", '["左", "右"]'])
        writer.writerow(["", '["a.png", "a.png"]', "None?", "[1, 2]", ""])
    first, second = run(path=str(tmp_path / "x.csv"))
    assert (first.row_id, first.question, first.options) == ("q1", 'Which, "左"\nor 右?', ("左", "右"))
    assert (second.row_id, len(second.images), second.answer, second.options) == ("row 2", 2, "[1, 2]", ())


def test_bad_rows_of_a_csv(tmp_path: Path) -> None:
    lines = [
        b"image,question,answer",
        b"a.png,too many,3,4",
        b"a.png,\xff?,3",
        b"a.png,too few",
        b'a.png,"a"b,3',
        b"a.png,good,3",
        b'a.png,"never closed,3',
    ]
    (tmp_path / "x.csv").write_bytes(b"\n".join(lines))
    expected = ["invalid_csv", "not_utf8", "missing_answer", "invalid_csv", None, "invalid_csv"]
    assert reasons(run(path=str(tmp_path / "x.csv"))) == expected


@pytest.mark.parametrize(
    ("header", "mend"),
    [
        ("image,question,answer,answer", "two columns are named 'answer'"),
        ('image,question,"ans"wer,x', "the header can't be read"),
    ],
)
def test_a_header_with_two_readings_is_refused(tmp_path: Path, header: str, mend: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(f"{header}\na.png,Q?,1,2\nb.png,Q2?,3,4\n")
    with pytest.raises(UserError, match=mend):
        run(path=str(path))


def test_parquet_with_images_as_hugging_face_stores_them(tmp_path: Path) -> None:
    table = pa.table(
        {
            "image": [{"bytes": png(k), "path": None} for k in range(40)],
            "question": ["Q?"] * 40,
            "answer": pa.array([*range(39), None]),
            "thumbnail": [b"not JSON"] * 40,
        }
    )
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=20)
    results = run(path=str(tmp_path / "x.parquet"))
    assert reasons(results) == [None] * 39 + ["missing_answer"]
    assert results[38].images[0].data == png(38)
    assert results[38].extra == "{}"


def test_a_damaged_row_group_of_a_parquet_file_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    table = pa.Table.from_pylist(rows(30))
    pq.write_table(table, path, row_group_size=10, compression="zstd", use_dictionary=False)
    column = pq.ParquetFile(path).metadata.row_group(1).column(1)
    data = bytearray(path.read_bytes())
    start = column.data_page_offset
    data[start : start + column.total_compressed_size] = bytes(column.total_compressed_size)
    path.write_bytes(data)
    results = run(path=str(path))
    assert reasons(results) == [None] * 10 + ["unreadable_rows"] + [None] * 10
    assert results[10].row_id == "row 11"
    assert "rows 11 to 20" in results[10].detail
    assert results[11].row_id == "row 21"


@pytest.mark.parametrize(("limit", "expected"), [(3, [0, 3, 6]), (10, range(10)), (99, range(10)), (6, range(6))])
@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv", "parquet"])
def test_a_limit_takes_evenly_spaced_rows(tmp_path: Path, suffix: str, limit: int, expected: Any) -> None:
    path = tmp_path / f"x.{suffix}"
    if suffix == "jsonl":
        path.write_text("\n\n".join(map(json.dumps, rows(10))))
    elif suffix == "json":
        path.write_text(json.dumps(rows(10)))
    elif suffix == "csv":
        path.write_text("image,question,answer\n" + "".join(f"a.png,Question {k}?,{k}\n" for k in range(10)))
    else:
        pq.write_table(pa.Table.from_pylist(rows(10)), path)
    assert [problem.answer for problem in run(path=str(path), limit=limit)] == [str(k) for k in expected]


def pack(path: Path, members: dict[str, bytes]) -> str:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
    else:
        with tarfile.open(path, "w") as archive:
            for name, data in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
            link = tarfile.TarInfo("link.png")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(link)
    return str(path)


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_images_in_an_archive(tmp_path: Path, suffix: str) -> None:
    members = {"./d/one.png": png(1), "d/two.png": png(2), "../evil.png": png(3)}
    images = pack(tmp_path / f"i{suffix}", members)
    names = ["d/one.png", "./d/x/../two.png", "no.png", "link.png", "../evil.png", "/d/one.png", "d", ".."]
    lines = [json.dumps({"image": name, "question": "Q?", "answer": name}) for name in names]
    (tmp_path / "x.jsonl").write_text("\n".join(lines))
    results = run(path=str(tmp_path / "x.jsonl"), images=images)
    missing, outside = "missing_image", "image_outside_root"
    assert reasons(results) == [None, None, missing, missing, outside, outside, missing, outside]
    assert [result.images[0].data for result in results[:2]] == [png(1), png(2)]


def test_a_damaged_member_of_a_zip(tmp_path: Path) -> None:
    images = tmp_path / "i.zip"
    with zipfile.ZipFile(images, "w") as archive:
        archive.writestr("a.png", png(1))
    data = bytearray(images.read_bytes())
    data[60] ^= 1
    images.write_bytes(data)
    (tmp_path / "x.jsonl").write_text(json.dumps(rows(1)[0]))
    assert reasons(run(path=str(tmp_path / "x.jsonl"), images=str(images))) == ["unreadable_image"]


def test_a_zip_member_that_unpacks_to_more_than_an_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.load.sources.roots.MAX_FILE_BYTES", 1000)
    images = pack(tmp_path / "i.zip", {"a.png": bytes(2000)})
    (tmp_path / "x.jsonl").write_text(json.dumps(rows(1)[0]))
    assert reasons(run(path=str(tmp_path / "x.jsonl"), images=images)) == ["image_too_large"]


MODULE = """
pulled = []

def good(count=2):
    for k in range(count):
        pulled.append(k)
        yield {"image": "a.png", "question": f"Q{k}?", "answer": k, "when": object()}

def breaks():
    yield from good(1)
    raise ValueError("no more\\nlines")

def fails():
    raise OSError("no data")

def number():
    return 3

def mixed():
    return [None, *good(1)]
"""


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A user's module in the current folder, as `bench:<function>`."""
    (tmp_path / "bench.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    sys.modules.pop("bench", None)


def test_a_function(bench: None) -> None:
    results = run(function="bench:good", kwargs={"count": 3}, images=".")
    assert [result.answer for result in results] == ["0", "1", "2"]
    assert results[0].row_id == "row 1"
    assert results[0].extra == "{}"
    assert reasons(run(function="bench:mixed", images=".")) == ["wrong_type", None]


def test_a_function_without_a_folder_can_give_no_paths(bench: None) -> None:
    assert reasons(run(function="bench:good")) == ["missing_image"] * 2


def test_a_limit_takes_the_first_rows_of_a_function_and_draws_no_more(bench: None) -> None:
    assert len(run(function="bench:good", kwargs={"count": 10**9}, images=".", limit=2)) == 2
    assert sys.modules["bench"].pulled == [0, 1]


def test_rows_are_streamed(bench: None, monkeypatch: pytest.MonkeyPatch) -> None:
    # On several cores a few more are read ahead (test_ahead.py).
    monkeypatch.setattr("stages.load.ahead.cores", lambda: 1)
    results = load(SourceConfig(name="s", function="bench:good", images="."), lambda problem: None)
    assert sys.modules["bench"].pulled == []
    next(results)
    assert sys.modules["bench"].pulled == [0]


def test_a_function_that_breaks_off_keeps_its_rows(bench: None) -> None:
    results = load(SourceConfig(name="s", function="bench:breaks", images="."), lambda problem: None)
    assert isinstance(next(results), Problem)
    with pytest.raises(UserError, match=r"ValueError: no more after 1 rows"):
        next(results)


@pytest.fixture(scope="module")
def datasets() -> Any:
    return pytest.importorskip("datasets")


def make_dataset(datasets: Any, count: int = 6) -> Any:
    """Rows of which the last one's image can't be decoded."""
    images = [*map(png, range(count - 1)), b"no image"]
    features = {
        "images": datasets.List(datasets.Image()),
        "question": datasets.Value("string"),
        "answer": datasets.Value("int64"),
    }
    content = {
        "images": [[{"bytes": image, "path": None}] for image in images],
        "question": [f"Question {k}?" for k in range(count)],
        "answer": list(range(count)),
    }
    return datasets.Dataset.from_dict(content, features=datasets.Features(features))


@pytest.mark.parametrize("form", ["parquet", "saved", "saved with splits"])
def test_a_local_dataset_keeps_the_bytes_of_its_images(tmp_path: Path, datasets: Any, form: str) -> None:
    made = make_dataset(datasets)
    folder = tmp_path / "set"
    if form == "parquet":
        folder.mkdir()
        made.to_parquet(folder / "train-00000-of-00001.parquet")
    elif form == "saved":
        made.save_to_disk(folder)
    else:
        datasets.DatasetDict({"train": made}).save_to_disk(folder)
    results = run(dataset=str(folder), fields={"image": "images"})
    assert reasons(results) == [None] * 5 + ["bad_image"]
    assert results[4].images[0].data == png(4)


def test_a_limit_on_a_saved_dataset_is_evenly_spaced(tmp_path: Path, datasets: Any) -> None:
    make_dataset(datasets, 7).save_to_disk(tmp_path / "set")
    results = run(dataset=str(tmp_path / "set"), fields={"image": "images"}, limit=3)
    assert [result.answer for result in results] == ["0", "2", "4"]


def test_an_image_folder(tmp_path: Path, datasets: Any) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "a.png").write_bytes(png())
    (folder / "metadata.jsonl").write_text('{"file_name": "a.png", "question": "Q?", "answer": "3"}\n')
    (problem,) = run(dataset=str(folder))
    assert problem.images[0].data == png()


USER_ERRORS = {
    "no file": ({"path": "no.jsonl"}, "no such file"),
    "unknown suffix": ({"path": "a.png"}, "unknown file type '.png'"),
    "folder": ({"path": "folder"}, "is a folder"),
    "JSON in pieces": ({"path": "broken.json"}, "not valid JSON at line 2"),
    "JSON without rows": ({"path": "empty.json"}, "holds no list of rows"),
    "no Parquet": ({"path": "bad.parquet"}, "not a readable Parquet file"),
    "no image folder": ({"path": "x.jsonl", "images": "no"}, "no such folder or file"),
    "image file": ({"path": "x.jsonl", "images": "a.png"}, "not a folder, .zip, .zip_aa or .tar"),
    "broken zip": ({"path": "x.jsonl", "images": "bad.zip"}, "can't be read as .zip"),
    "broken tar": ({"path": "x.jsonl", "images": "bad.tar"}, "can't be read as .tar"),
    "no colon": ({"function": "bench"}, "write it as module:function"),
    "no module": ({"function": "no_such_module:f"}, "can't be imported"),
    "module that fails": ({"function": "fails:f"}, "ZeroDivisionError"),
    "no function": ({"function": "bench:no"}, "has no function 'no'"),
    "wrong kwargs": ({"function": "bench:good", "kwargs": {"size": 1}}, "correct `kwargs`"),
    "function that fails": ({"function": "bench:fails"}, "raised OSError: no data"),
    "function without rows": ({"function": "bench:number"}, "gave a int"),
    "empty dataset folder": ({"dataset": "folder"}, "correct `dataset`"),
    "missing split": ({"dataset": "saved", "split": "test"}, "correct `dataset`"),
}


@pytest.mark.parametrize(("config", "message"), USER_ERRORS.values(), ids=USER_ERRORS)
def test_mistakes_in_the_config_come_before_the_first_row(
    tmp_path: Path, bench: None, datasets: Any, config: dict[str, Any], message: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "broken.json").write_text('[\n{"a": }]')
    (tmp_path / "empty.json").write_text("{}")
    (tmp_path / "x.jsonl").write_text("")
    (tmp_path / "fails.py").write_text("1 / 0")
    for name in ("bad.parquet", "bad.zip", "bad.tar"):
        (tmp_path / name).write_bytes(b"nothing of the kind")
    if config.get("dataset") == "saved":
        datasets.DatasetDict({"train": make_dataset(datasets)}).save_to_disk(tmp_path / "saved")
    with pytest.raises(UserError) as caught:
        load(SourceConfig(name="s", **config), lambda problem: None)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "'s'" in str(caught.value)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UserError, match="pip install datasets"):
        run(dataset="org/name")


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"path": "a", "dataset": "b"},
        {"path": "a", "dataset_config": "b"},
        {"path": "a", "kwargs": {"k": 1}},
    ],
)
def test_a_source_has_one_door(config: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"'s' (needs|has)"):
        SourceConfig(name="s", **config)
