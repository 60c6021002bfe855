"""What a dataset command makes of a run whose files are not what was written: the same bytes, or a refusal."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from pipeline import manifest
from pipeline.store import Store
from tests.faults.place import Place, contents

pytestmark = pytest.mark.usefixtures("shared_verifiers")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("mend"))


@pytest.fixture
def place(made: Place) -> Place:
    made.reset()
    return made


def flip(path: Path, place: float = 0.5) -> None:
    """One bit, as a disk does it: the file's time stays."""
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=times)


def mended(place: Place, *words: str) -> str:
    """What is told by the command that mends, after which the run is whole, and a further one has nothing to do."""
    said = place.call("dataset", str(place.config))
    assert said.status == 0, said.err
    for word in words:
        assert word in said.err
    assert place.dataset_is_whole()
    assert "nothing to do" in place.call("dataset", str(place.config)).out
    assert place.call("doctor", str(place.run)).status == 0
    return said.err


def test_a_whole_run_has_nothing_to_do(place: Place) -> None:
    said = place.call("dataset", str(place.config))
    assert said.out == f"nothing to do: 12 problems are done and published in {place.data}\n"
    assert said.err == ""


@pytest.mark.parametrize("how", ["deleted", "cut", "emptied"])
def test_a_ledger_file_is_annotated_again(place: Place, how: str) -> None:
    path = sorted(place.run.glob("annotations/*"))[1]
    if how == "deleted":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:1000] if how == "cut" else b"")
    told = mended(place, "their problems are annotated again", "4 of 12 problems to annotate")
    assert ("what is left of them is in damaged/" in told) == (how != "deleted")


def test_a_bit_of_the_ledger_is_found_before_it_is_published(place: Place) -> None:
    path = sorted(place.run.glob("annotations/*"))[0]
    flip(path)
    broken = path.read_bytes()
    (place.run / "published.json").unlink()
    mended(place, "is not what was written: their problems are annotated again")
    assert [each.read_bytes() for each in place.run.glob("damaged/**/*.parquet")] == [broken]


@pytest.mark.parametrize("name", ["problems/part-00000.parquet", "problems.json", "quarantine/load.jsonl"])
def test_sources_are_read_again_for_what_was_loaded(place: Place, name: str) -> None:
    (place.run / name).unlink()
    mended(place, f"{name} is missing: the sources are read again")
    assert contents(place.run / "problems") == contents(place.kept / "run/problems")
    assert not (place.run / "again").exists()


def test_other_sources_do_not_pass_for_what_was_loaded(place: Place) -> None:
    (place.run / "problems/part-00000.parquet").unlink()
    settings = yaml.safe_load(place.config.read_text())
    settings["sources"][0]["kwargs"]["word"] = "Another"
    changed = place.folder / "changed.yaml"
    changed.write_text(yaml.safe_dump(settings))
    said = place.call("dataset", str(changed))
    assert said.one_line
    assert "part-00000.parquet is missing" in said.err or "sources.0.kwargs" in said.err
    assert not (place.run / "problems/part-00000.parquet").exists()


@pytest.mark.parametrize("name", ["config.yaml", "ledger.json"])
def test_settings_files_follow_from_the_same_settings_alone(place: Place, name: str) -> None:
    (place.run / name).write_bytes(b"{")
    other = place.call("dataset", str(place.config), "label.threshold=0.5", "seed=9")
    assert other.one_line
    assert f"{name} has 1 of" in other.err
    mended(place, f"{name} has 1 of", "made again")
    assert (place.run / name).read_bytes() == (place.kept / "run" / name).read_bytes()


@pytest.mark.parametrize("name", ["published.json", "quarantine/annotate.jsonl"])
def test_what_publishing_writes_is_published_again(place: Place, name: str) -> None:
    (place.run / name).write_bytes(b"\0")
    mended(place, f"{name} has 1 of", "made again")
    assert (place.run / name).read_bytes() == (place.kept / "run" / name).read_bytes()


def test_an_engines_note_is_written_again(place: Place) -> None:
    (path,) = place.run.glob("engines/*.json")
    path.unlink()
    mended(place, "is missing: made again")
    assert path.exists()


@pytest.mark.parametrize("name", ["train-00000-of-00001.parquet", "README.md", "stats.json", "manifest.json"])
def test_a_damaged_dataset_is_published_again(place: Place, name: str) -> None:
    flip(place.data / name, 0.6)
    mended(place, "published again")
    assert (place.data / name).read_bytes() == (place.kept / "data" / name).read_bytes()


def test_a_commit_that_names_other_problems_is_written_from_the_ledger(place: Place) -> None:
    path = sorted(place.run.glob("checkpoint/*"))[0]
    path.write_bytes(path.read_bytes()[:50])
    mended(place, f"checkpoint/{path.name} can't be read: written again from the ledger")
    ids = sorted(Store(str(place.run)).done_ids())
    assert len(ids) == 12


def test_a_commit_that_is_gone_is_written_from_the_ledger_and_missed_by_readers(place: Place) -> None:
    path = sorted(place.run.glob("checkpoint/*"))[1]
    path.unlink()
    said = place.call("publish", str(place.run))
    assert said.one_line
    assert f"checkpoint/{path.name} is missing" in said.err
    told = mended(place, f"checkpoint/{path.name} is missing: made again")
    assert "to annotate" not in told


def test_a_run_without_a_manifest_gets_one(place: Place) -> None:
    (place.run / "manifest.json").unlink()
    mended(place, "has no manifest: its 12 files were read in full, and it has one now")
    assert (place.run / "manifest.json").is_file()


def test_a_run_without_a_manifest_whose_ledger_cannot_be_read(place: Place) -> None:
    (place.run / "manifest.json").unlink()
    path = sorted(place.run.glob("annotations/*"))[0]
    path.rename(path.with_name(f"{path.name.split('-')[0]}-0.parquet"))
    path = path.with_name(f"{path.name.split('-')[0]}-0.parquet")
    path.write_bytes(path.read_bytes()[:-1])
    mended(place, "has no manifest", "can't be read: their problems are annotated again")
    assert not path.exists()


def test_publish_names_the_damage_and_mends_nothing(place: Place) -> None:
    flip(sorted(place.run.glob("annotations/*"))[0])
    said = place.call("publish", str(place.run))
    assert said.one_line
    assert "is not what was written: `visualprm dataset` with this run's config mends" in said.err
    assert place.dataset_is_whole()


def test_a_run_on_anothers_ledger_checks_it(place: Place) -> None:
    flip(sorted(place.run.glob("annotations/*"))[0])
    said = place.call(
        "dataset", str(place.config), f"input.ledger={place.run}", "name=top", f"run_dir={place.folder}/top",
        f"output_dir={place.folder}/top-data", "rollout.num_draws=6",
    )  # fmt: skip
    assert said.one_line
    assert "mend that run first" in said.err


def test_the_manifest_forgets_what_goes(place: Place) -> None:
    store = Store(str(place.run))
    store.write_text("x", "1")
    assert "x" in store.sums()
    store.remove("x")
    assert "x" not in store.sums()
    assert manifest.FILE not in store.sums()
