"""What `visualprm doctor` says of damaged folders, and that it changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.place import Place, contents

pytestmark = pytest.mark.usefixtures("shared_verifiers")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("doctor"))


@pytest.fixture
def place(made: Place) -> Place:
    made.reset()
    return made


def first(folder: Path, pattern: str) -> Path:
    return sorted(folder.glob(pattern))[0]


def test_whole_folders(place: Place) -> None:
    for folder, kind in ((place.run, "a run"), (place.data, "a dataset")):
        said = place.call("doctor", str(folder))
        assert said.status == 0
        assert said.out.startswith(f"{folder}: {kind}: ")


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("run/annotations/*.parquet", "`visualprm dataset` annotates its problems again"),
        ("run/problems/part-00001.parquet", "`visualprm dataset` makes it again"),
        ("run/ledger.json", "`visualprm dataset` makes it again"),
        ("run/checkpoint/*.parquet", "`visualprm dataset` makes it again"),
        ("data/train-*.parquet", "of its run writes it again"),
        ("data/README.md", "of its run writes it again"),
        ("data/manifest.json", "of its run writes it again"),
    ],
)
def test_damage_is_named_with_its_mend_and_left_alone(place: Place, pattern: str, words: str) -> None:
    path = first(place.folder, pattern)
    path.write_bytes(b"")
    before = contents(path.parent)
    said = place.call("doctor", str(place.folder / pattern.split("/")[0]))
    assert said.status == 1
    assert path.name in said.out
    assert words in said.out
    assert contents(path.parent) == before


def test_one_bit_is_enough(place: Place) -> None:
    path = first(place.run, "problems/*.parquet")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    said = place.call("doctor", str(place.run))
    assert said.status == 1
    assert "problems/part-00000.parquet" in said.out


def test_a_folder_of_others(place: Place, tmp_path: Path) -> None:
    said = place.call("doctor", str(tmp_path))
    assert said.status == 2
    assert said.one_line
    assert "holds nothing that visualprm wrote" in said.err


def test_a_dataset_without_a_manifest_cannot_be_compared(place: Place) -> None:
    (place.data / "manifest.json").unlink()
    said = place.call("doctor", str(place.data))
    assert said.status == 0
    assert "it has no manifest" in said.out
