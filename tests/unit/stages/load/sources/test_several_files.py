"""Sources of several files, of archives, of two files, and rows that borrow a picture."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from pipeline.config import RunConfig, SourceConfig, ledger_view, parse_config
from pipeline.errors import UserError
from pipeline.records import Problem, Rejected
from stages.load.parse import load
from stages.load.paths import locate
from stages.load.sources import data_files, files, samples
from stages.load.sources.readers import count_rows
from tests.unit.stages.load.add.benchmarks import b64, png


def run(**config: Any) -> list[Any]:
    return list(load(SourceConfig(name="s", **config), lambda problem: None))


def told(results: list[Any]) -> list[str]:
    """The answers of problems, the reasons of rejected rows."""
    return [item.reason if isinstance(item, Rejected) else item.answer for item in results]


def row(number: int, **more: Any) -> dict[str, Any]:
    return {"image": b64(1), "question": f"Question {number}?", "answer": f"{number}.", **more}


def write(path: Path, *numbers: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row(number)) + "\n" for number in numbers).encode()
    path.write_bytes(gzip.compress(lines) if path.suffix == ".gz" else lines)


def test_a_pattern(tmp_path: Path) -> None:
    write(tmp_path / "b/part-2.jsonl", 3)
    write(tmp_path / "a/part-1.jsonl", 1, 2)
    write(tmp_path / "a/part-10.jsonl.gz", 4)
    pattern = str(tmp_path / "*/part-*")
    found = run(path=pattern)
    assert told(found) == ["1.", "2.", "4.", "3."]
    assert [item.row_id for item in found] == [
        "row 1 of a/part-1.jsonl", "row 2 of a/part-1.jsonl", "row 1 of a/part-10.jsonl.gz", "row 1 of b/part-2.jsonl",
    ]  # fmt: skip
    assert json.loads(found[0].extra) == {"_folder": "a", "_stem": "part-1"}
    assert told(run(path=pattern, limit=2)) == ["1.", "4."]
    assert count_rows(SourceConfig(name="s", path=pattern)) == 4


def test_a_broken_small_file_costs_only_itself(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        (tmp_path / f"{number}.json").write_text(json.dumps(row(number)))
    (tmp_path / "2.json").write_text("{")
    found = run(path=str(tmp_path / "*.json"), rows=".")
    assert told(found) == ["1.", "unreadable_file", "3."]
    assert found[1].row_id == "row 2.json"


@pytest.mark.parametrize("key", ["path", "join.gold.path"])
def test_a_pattern_that_nothing_fits_is_told_before_the_first_row(tmp_path: Path, key: str) -> None:
    write(tmp_path / "x.jsonl", 1)
    nothing = str(tmp_path / "*.csv")
    config = (
        {"path": nothing}
        if key == "path"
        else {"path": str(tmp_path / "x.jsonl"), "join": {"gold": {"path": nothing, "by": "id"}}}
    )
    with pytest.raises(UserError, match=rf"source 's', {key} .*no file matches this pattern; correct the path"):
        locate([SourceConfig.model_validate({"name": "s", **config})], None)


def zipped(path: Path, members: dict[str, bytes]) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return str(path)


def tarred(path: Path, members: dict[str, bytes], link: bool = True) -> str:
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        if link:
            info = tarfile.TarInfo("s1.answer")
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/hostname"
            archive.addfile(info)
    return str(path)


def test_rows_in_an_archive(tmp_path: Path) -> None:
    members = {
        "set/2.json": json.dumps([row(2)]).encode(),
        "set/1.json.gz": gzip.compress(json.dumps([row(1)]).encode()),
        "set/notes.txt": b"no rows",
        "../3.json": json.dumps([row(3)]).encode(),
        "__MACOSX/set/._1.json": b"\0",
    }
    packed = zipped(tmp_path / "x.zip", members)
    assert told(run(path=packed)) == ["1.", "2."]
    assert told(run(path=packed, members="set/2*")) == ["2."]
    assert told(run(path=tarred(tmp_path / "x.tar", members), members="set/*.json*")) == ["1.", "2."]
    assert not (tmp_path.parent / "3.json").exists()  # nothing is unpacked


def test_mistakes_with_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = zipped(tmp_path / "x.zip", {"a.txt": b"", "b.json": b"[]"})
    with pytest.raises(
        UserError, match=r"no member fits 'c\*' \(its files end in .json, .txt\); name them as `members`"
    ):
        run(path=packed, members="c*")
    with pytest.raises(UserError, match=r"unknown file type '.txt'"):
        run(path=packed, members="a*")
    monkeypatch.setattr(data_files, "MAX_MEMBERS", 1)
    with pytest.raises(UserError, match="has more than 1 members; unpack it"):
        run(path=packed)
    monkeypatch.undo()
    monkeypatch.setattr(data_files, "MAX_MEMBER_BYTES", 1)
    with pytest.raises(UserError, match=r"b.json unpacks to 2 bytes, more than 1; unpack it"):
        run(path=packed)
    (tmp_path / "y.zip").write_bytes(b"PK")
    with pytest.raises(UserError, match=r"can't be read as .zip"):
        run(path=str(tmp_path / "y.zip"))
    write(tmp_path / "x.jsonl", 1)
    with pytest.raises(UserError, match=r"remove `members`"):
        run(path=str(tmp_path / "x.jsonl"), members="*")


def test_a_packed_file_that_unpacks_to_more_than_there_is_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_LINE", 2000)
    monkeypatch.setattr(files, "MAX_JSON", 2000)
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(b"\n".join([b" " * 100_000, json.dumps(row(1)).encode()])))
    assert told(run(path=str(tmp_path / "x.jsonl.gz")))[-1] == "1."
    (tmp_path / "x.json.gz").write_bytes(gzip.compress(b"[" + b" " * 100_000 + b"]"))
    with pytest.raises(UserError, match="longer than 2,000 bytes; write it as JSON lines"):
        run(path=str(tmp_path / "x.json.gz"))


SAMPLES = {
    "d/s1.png": png(1),
    "d/s1.json": b'{"question": "One?", "answer": "1."}',
    "d/s2.jpg": png(2),
    "d/s2.json": b'{"question": "Two?", "answer": "2."}',
    "d/.hidden": b"",
    "d/s3.json": b'{"question": "Three?", "answer": "3."}',
}
OF_SAMPLES = {"question": "json.question", "answer": "json.answer", "image": ["jpg", "png"]}


def test_samples_of_a_tar(tmp_path: Path) -> None:
    path = tarred(tmp_path / "x.tar", SAMPLES)
    found = run(path=path, fields=OF_SAMPLES)
    assert told(found)[:3] == ["1.", "2.", "missing_image"]
    assert told(found)[3:] == []  # a link is no member
    assert [found[0].row_id, found[1].images[0].data] == ["d/s1", png(2)]
    assert count_rows(SourceConfig(name="s", path=path)) == 3
    assert told(run(path=path, fields=OF_SAMPLES, limit=1)) == ["1."]
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress((tmp_path / "x.tar").read_bytes()))
    assert told(run(path=str(tmp_path / "x.tar.gz"), fields=OF_SAMPLES)) == told(found)


def test_samples_that_are_too_large_or_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(tarred(tmp_path / "x.tar", SAMPLES))
    monkeypatch.setattr(samples, "MAX_FILE_BYTES", 100)
    assert told(run(path=str(path), fields=OF_SAMPLES)) == ["file_too_large", "file_too_large", "missing_image"]
    monkeypatch.undo()
    path.write_bytes(path.read_bytes()[:2000])
    assert told(run(path=str(path), fields=OF_SAMPLES)) == ["unreadable_rows"]
    path.write_bytes(b"no tar at all" * 100)
    with pytest.raises(UserError, match="not a readable tar file"):
        run(path=str(path), fields=OF_SAMPLES)


def test_a_member_that_comes_twice_is_no_sample(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "twice.tar", "w") as archive:
        for name, data in (
            ("1.json", b'{"q": "Q?", "a": "old"}'),
            ("1.png", png(1)),
            ("1.json", b'{"q": "Q?", "a": "new"}'),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    fields = {"question": "json.q", "answer": "json.a", "image": "png"}
    assert told(run(path=str(tmp_path / "twice.tar"), fields=fields)) == ["ambiguous_sample"]


def test_a_join(tmp_path: Path) -> None:
    asked = [{"question": f"Q{k}?", "image": b64(1), "image_id": k} for k in (1, 2, 3, 4)]
    (tmp_path / "q.json").write_text(json.dumps({"questions": asked}))
    gold = [
        {"id": "1", "answer": "one"},
        {"id": "2", "answer": "two"},
        {"id": "4", "answer": "four"},
        {"id": "4", "answer": "IV"},
    ]
    (tmp_path / "a.json").write_text(json.dumps({"gold": gold}))
    join = {"gold": {"path": str(tmp_path / "a.json"), "rows": "gold", "by": {"image_id": "id"}}}
    found = run(path=str(tmp_path / "q.json"), rows="questions", join=join, fields={"answer": "gold.answer"})
    assert told(found) == ["one", "two", "no_partner", "ambiguous_partner"]
    assert found[2].detail == "no row of `join.gold` has the id '3'"


def test_a_borrowed_picture(tmp_path: Path) -> None:
    rows = [
        row(1, index=7, image=b64(1)), row(2, index=1007, image="7"), row(3, index=1008, image=7),
        row(4, index=1009, image="1007"), row(5, index=1010, image="55"),
        row(6, index=9, image="x.png"), row(7, index=1011, image="9"),
    ]  # fmt: skip
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "x.png").write_bytes(png(2))
    found = run(path=str(tmp_path / "x.jsonl"), borrow_images="index")
    assert told(found) == ["1.", "2.", "3.", "missing_image", "missing_image", "6.", "7."]
    assert [item.images[0].data for item in found if isinstance(item, Problem)] == [png(1)] * 3 + [png(2)] * 2
    assert found[3].detail == "the row whose index is '1007' has no picture of its own"


def test_separated_options_and_truth_values(tmp_path: Path) -> None:
    rows = [row(1, options="cat | owl", answer="owl"), row(2, answer=True), row(3, answer=False)]
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = run(path=str(tmp_path / "x.jsonl"), separator="|", booleans=("Yes", "No"))
    assert told(found) == ["owl", "Yes", "No"]
    assert found[0].options == ("cat", "owl")
    unset = run(path=str(tmp_path / "x.jsonl"))
    assert told(unset) == ["wrong_type", "wrong_type", "wrong_type"]
    assert unset[1].detail == 'the answer is True: say what that means with `booleans: ["Yes", "No"]`'
    read = yaml.safe_load("{name: s, path: x, booleans: [Yes, No]}")  # as YAML has it: [true, false]
    assert SourceConfig.model_validate(read).booleans == ("Yes", "No")


def test_answers_that_are_marked_inside_a_text(tmp_path: Path) -> None:
    texts = ["2 + 2 = 4\n#### 4.", "#### 3.\nNo:\n#### 5.", "no mark"]
    rows = [row(number, answer=text) for number, text in enumerate(texts)]
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert told(run(path=str(tmp_path / "x.jsonl"), answer_pattern=r"####([^\n]+)")) == ["4.", "5.", "missing_answer"]
    for pattern, message in (("####", "has no group"), ("(", "is not a regular expression")):
        with pytest.raises(ValidationError, match=message):
            SourceConfig(name="s", path="x", answer_pattern=pattern)


def test_option_columns(tmp_path: Path) -> None:
    rows = [row(1, A="cat", B="owl", C="", answer="B"), row(2, A="cat", B=None, C="owl", answer="A")]
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = run(path=str(tmp_path / "x.jsonl"), fields={"options": ["A", "B", "C"]})
    assert [found[0].options, found[1].detail] == [("cat", "owl"), "option B is empty, but a later one is not"]


def test_parts_of_a_turn_and_their_places(tmp_path: Path) -> None:
    url = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + b64(2)}}
    parts = [{"type": "text", "text": "Is "}, url, {"type": "text", "text": " red?"}]
    marks = [{"type": "image"}, {"type": "text", "text": "Blue?"}]
    rows = [{"m": parts, "answer": "no."}, {"m": marks, "answer": "yes.", "image": b64(3)}]
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = run(path=str(tmp_path / "x.jsonl"), fields={"question": "m"})
    assert [(item.question, item.images[0].data, item.extra) for item in found] == [
        ("Is <image> red?", png(2), "{}"), ("<image>Blue?", png(3), "{}"),
    ]  # fmt: skip


def test_settings_that_are_not_set_leave_no_trace() -> None:
    plain: dict[str, Any] = {"name": "x", "sources": [{"name": "s", "path": "x.csv"}]}
    new = {"rows", "members", "join", "borrow_images", "separator", "booleans", "answer_pattern"}
    config = parse_config(plain)
    assert not new & set(config.model_dump(mode="json")["sources"][0])
    assert not [key for key in ledger_view(config) if key.rpartition(".")[2] in new]
    plain["sources"][0]["rows"] = "*"
    assert ledger_view(parse_config(plain))["sources[s].rows"] == "*"
    assert RunConfig.model_validate(config.model_dump(mode="json")) == config
