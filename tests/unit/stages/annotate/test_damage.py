"""What is read when a run is looked at, and what is found without reading."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.records import Image, Problem
from pipeline.store import Store, named_sum
from stages.annotate.damage import adopt, check_run, damage_named, find_damage, unchanged, unreadable
from tests.faults.place import Place

pytestmark = pytest.mark.usefixtures("shared_verifiers")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("damage"))


@pytest.fixture
def place(made: Place) -> Place:
    made.reset()
    return made


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 16
    path.write_bytes(data)


def test_a_ledger_file_is_named_by_its_sum(place: Place) -> None:
    for path in Store(str(place.run)).ledger_files():
        held = named_sum(path)
        assert held is not None
        assert held.bytes == Path(path).stat().st_size
    assert named_sum("annotations/w_000000-0.parquet") is None


def test_sizes_are_compared_always_and_bytes_where_asked(place: Place) -> None:
    store = Store(str(place.run))
    assert find_damage(store) == {}
    flip(place.run / "problems/part-00001.parquet")
    assert find_damage(store) == {}
    assert find_damage(store, ("problems/",)) == {"problems/part-00001.parquet": "is not what was written"}
    flip(place.run / "problems.json")
    assert find_damage(store) == {"problems.json": "is not what was written"}


def test_readers_name_what_is_damaged(place: Place) -> None:
    store = Store(str(place.run))
    flip(Path(store.ledger_files()[0]))
    with pytest.raises(UserError, match=r"annotations/.* is not what was written: `visualprm dataset`"):
        check_run(store)


def test_a_failure_to_read_is_blamed_on_a_damaged_file(place: Place) -> None:
    store = Store(str(place.run))
    with pytest.raises(ValueError, match="of its own"), damage_named(store):
        raise ValueError("of its own")
    (place.run / "problems.json").write_text("{")
    with pytest.raises(UserError, match=r"problems.json has 1 of \d+ bytes"), damage_named(store):
        store.read_json("problems.json")


def test_a_run_of_before_is_read_in_full_once(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(str(place.run))
    (place.run / "manifest.json").unlink()
    adopt(store)
    assert "has no manifest" in capsys.readouterr().err
    adopt(store)
    assert capsys.readouterr().err == ""
    assert "problems/part-00000.parquet" in store.sums()


def test_problems_that_can_not_be_read_are_for_a_person(place: Place) -> None:
    (place.run / "manifest.json").unlink()
    (place.run / "problems/part-00000.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match=r"part-00000.parquet can't be read .*: restore what is named"):
        adopt(Store(str(place.run)))


def test_reading_finds_what_no_sum_is_held_of(place: Place) -> None:
    (note,) = place.run.glob("engines/*.json")
    note.write_text(note.read_text().replace("scripted", "Scripted"))
    assert unreadable(Store(str(place.run))) == {
        f"engines/{note.name}": "can't be read (its name is not its content's)"
    }


def test_an_image_that_is_another_is_not_shown_to_a_policy() -> None:
    problem = Problem("p", "s", "r", "Q?", "4", (Image.of(b"x"),), (), ("number",), 1, "p")
    assert unchanged(problem) is problem
    with pytest.raises(UserError, match="problem p: image 0 is not the one that was stored"):
        unchanged(dataclasses.replace(problem, images=(Image(problem.images[0].sha256, b"y"),)))
