"""What a manifest says of files that were changed after they were written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline import atomic, manifest
from pipeline.atomic import Sum

ABC = Sum(3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")


@pytest.fixture
def folder(tmp_path: Path) -> str:
    for name in ("a", "deep/b", "c"):
        atomic.write(tmp_path / name, "abc")
    manifest.save(str(tmp_path), dict.fromkeys(("a", "deep/b", "c"), (ABC,)))
    return str(tmp_path)


def test_sums_are_those_of_the_bytes_on_their_way(tmp_path: Path) -> None:
    with atomic.new_file(tmp_path / "x") as out:
        out.write(b"a")
        out.write(memoryview(b"bc"))
    assert out.sum == ABC == manifest.sum_of(str(tmp_path / "x"))


def test_a_whole_folder_has_no_faults(folder: str) -> None:
    assert manifest.load(folder) == {"a": (ABC,), "c": (ABC,), "deep/b": (ABC,)}
    assert manifest.folder_faults(folder) == {}


def test_every_fault_has_its_words(folder: str) -> None:
    os.remove(f"{folder}/a")
    Path(folder, "c").write_bytes(b"")
    Path(folder, "deep/b").write_bytes(b"abX")
    assert manifest.folder_faults(folder) == {"a": "is missing", "c": "is empty", "deep/b": "is not what was written"}
    Path(folder, "c").write_bytes(b"ab")
    assert manifest.folder_faults(folder, full=False) == {"a": "is missing", "c": "has 2 of 3 bytes"}


def test_what_may_be_old_or_new_is_either(folder: str) -> None:
    other = Sum(1, "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb")
    manifest.save(folder, {"a": (other, ABC)})
    assert manifest.folder_faults(folder) == {}
    Path(folder, "a").write_bytes(b"a")
    assert manifest.folder_faults(folder) == {}


def test_what_could_not_be_read_stays_damaged(folder: str) -> None:
    manifest.save(folder, {"a": manifest.UNREADABLE})
    assert manifest.folder_faults(folder, full=False) == {"a": "can't be read"}


@pytest.mark.parametrize("bit", range(0, 8))
def test_a_manifest_that_was_changed_says_so(folder: str, bit: int) -> None:
    path = Path(folder, manifest.FILE)
    data = bytearray(path.read_bytes())
    for place in range(0, len(data), 37):
        changed = bytearray(data)
        changed[place] ^= 1 << bit
        path.write_bytes(changed)
        try:
            # A space for another, or the like, changes nothing.
            assert manifest.load(folder) == {"a": (ABC,), "c": (ABC,), "deep/b": (ABC,)}
        except manifest.Damaged:
            assert manifest.folder_faults(folder) == {manifest.FILE: "is damaged"}


def test_no_manifest_is_none(tmp_path: Path) -> None:
    assert manifest.load(str(tmp_path)) is None
    assert manifest.folder_faults(str(tmp_path)) is None


def test_faults_on_one_line() -> None:
    found = dict.fromkeys("abcde", "is empty")
    assert manifest.told(found) == "a is empty, b is empty, c is empty, and 2 more"
    assert manifest.told({"a": "is missing"}) == "a is missing"
