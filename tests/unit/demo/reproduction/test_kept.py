"""What is kept of a reproduction: packed to the same bytes, and never unpacked from a file that is not the listed one."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from demo.reproduction import kept
from demo.reproduction.plan import Places
from pipeline.errors import UserError


def filled(folder: Path) -> Path:
    (folder / "images").mkdir(parents=True)
    (folder / "b.txt").write_text("second")
    (folder / "a.txt").write_text("first")
    (folder / "images" / "one.png").write_bytes(b"\x89PNG")
    (folder / "scores" / "prm").mkdir(parents=True)
    (folder / "scores" / "prm" / "part.parquet").write_text("derived")
    return folder


def packed(tmp_path: Path) -> Path:
    place = tmp_path / "packed"
    place.mkdir()
    content = kept.archive(filled(tmp_path / "bench"))
    (place / "bench.tar.xz").write_bytes(content)
    listed = {"bench": {"file": "bench.tar.xz", "sha256": hashlib.sha256(content).hexdigest()}}
    (place / kept.LIST).write_text(json.dumps(listed))
    return place


def test_a_folder_is_packed_to_the_same_bytes_wherever_it_lies(tmp_path: Path) -> None:
    assert kept.archive(filled(tmp_path / "here")) == kept.archive(filled(tmp_path / "deep" / "there"))


def test_what_was_packed_is_unpacked_without_what_is_derived(tmp_path: Path) -> None:
    (folder,) = kept.unpack((), packed(tmp_path), tmp_path / "out")
    assert folder == tmp_path / "out" / "bench"
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == {"a.txt", "b.txt", "images/one.png"}
    assert (folder / "b.txt").read_text() == "second"


def test_what_is_unpacked_is_left_as_it_is_and_made_anew_when_the_file_is_another(tmp_path: Path) -> None:
    place = packed(tmp_path)
    kept.unpack(["bench"], place, tmp_path / "out")
    (tmp_path / "out" / "bench" / "scores").mkdir()
    kept.unpack(["bench"], place, tmp_path / "out")
    assert (tmp_path / "out" / "bench" / "scores").is_dir()
    (tmp_path / "out" / "bench.sha256").write_text("of another")
    kept.unpack(["bench"], place, tmp_path / "out")
    assert not (tmp_path / "out" / "bench" / "scores").exists()


def test_a_changed_file_and_an_unknown_name_are_refused(tmp_path: Path) -> None:
    place = packed(tmp_path)
    with pytest.raises(UserError, match="wide: is not kept; kept are bench"):
        kept.unpack(["wide"], place, tmp_path / "out")
    content = bytearray((place / "bench.tar.xz").read_bytes())
    content[40] ^= 1
    (place / "bench.tar.xz").write_bytes(content)
    with pytest.raises(UserError, match="is not the file that files"):
        kept.unpack(["bench"], place, tmp_path / "out")
    assert not (tmp_path / "out" / "bench").exists()


def test_the_files_in_the_repository_are_those_of_the_list() -> None:
    listed = json.loads((kept.PACKED / kept.LIST).read_text())
    assert set(listed) >= {"value", "orm", "bench"}
    sizes = 0
    for one in listed.values():
        content = (kept.PACKED / one["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == one["sha256"]
        assert len(content) == one["size"]
        sizes += len(content)
    assert sizes <= 60_000_000


def test_make_reproduce_goes_on_from_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("configs", "demo"):
        (tmp_path / name).symlink_to(Path(name).resolve())
    monkeypatch.chdir(tmp_path)
    places = Places("reproduce")
    bench = kept.all_kept(places)["bench"]
    filled(bench.folder)
    bench.task.note(places.notes, 12.5)
    listed = kept.pack(places, tmp_path / "packed")
    assert list(listed) == ["bench"]
    assert listed["bench"]["command"].startswith("python -m demo.checks.process_bench data/reproduce-pool-1.0")
    assert kept.restore(places, tmp_path / "packed") == ["bench"], "something is there"
    shutil.rmtree(bench.folder)
    shutil.rmtree(places.notes)
    assert kept.restore(places, tmp_path / "packed") == []
    assert (bench.folder / "a.txt").read_text() == "first"
    assert bench.task.run(places.notes) == 12.5, "it is not run again"
    shutil.rmtree(bench.folder)
    (tmp_path / "packed" / kept.LIST).write_text(json.dumps({"bench": {**listed["bench"], "key": "of another policy"}}))
    assert kept.restore(places, tmp_path / "packed") == ["bench"]
    assert not bench.folder.exists()
