"""Where a dataset lies, what it says of itself, and whether it is what was written."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import manifest
from pipeline.errors import UserError
from pipeline.store.dataset_files import check_dataset, is_dataset, read_figures, shard_paths, shard_sums


def dataset(folder: Path) -> str:
    folder.mkdir()
    for name in ("train-00001-of-00002.parquet", "train-00000-of-00002.parquet", "README.md"):
        (folder / name).write_text("abc")
    return str(folder)


def test_shards_come_in_order_and_other_files_are_none(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "data")
    names = ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"]
    assert [path.rpartition("/")[2] for path in shard_paths(folder)[1]] == names
    assert is_dataset(folder)
    for place in (tmp_path, tmp_path / "nowhere"):
        assert not is_dataset(str(place))
        with pytest.raises(UserError, match="no dataset is here"):
            shard_paths(str(place))


def test_figures_are_empty_where_there_are_none(tmp_path: Path) -> None:
    filesystem, shards = shard_paths(dataset(tmp_path / "data"))
    folder = shards[0].rpartition("/")[0]
    assert read_figures(filesystem, folder) == {}
    (tmp_path / "data/stats.json").write_text('{"total": 1}')
    assert read_figures(filesystem, folder) == {"total": 1}


def test_sums_are_those_of_the_manifest_or_of_the_bytes(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "data")
    read = shard_sums(folder)
    assert set(read.values()) == {"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}
    manifest.save_of(folder)
    assert shard_sums(folder) == read
    check_dataset(folder)
    (tmp_path / "data/train-00000-of-00002.parquet").write_text("abd")
    with pytest.raises(UserError, match=r"train-00000-of-00002\.parquet is not what was written: publish it again"):
        check_dataset(folder)
    (tmp_path / "data" / manifest.FILE).write_text("{}")
    with pytest.raises(UserError, match=r"manifest\.json is damaged"):
        shard_sums(folder)


def test_a_file_or_nothing_is_no_dataset(tmp_path: Path) -> None:
    (tmp_path / "train-a.parquet").touch()
    assert is_dataset(str(tmp_path))
    assert not is_dataset(str(tmp_path / "train-a.parquet"))
    assert not is_dataset(str(tmp_path / "nothing"))
