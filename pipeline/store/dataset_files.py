"""A published dataset as it lies on disk: its shards, its statistics, and whether they are what was written."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import pyarrow.fs as pafs
import pyarrow.parquet as pq

from pipeline import manifest
from pipeline.errors import UserError
from pipeline.store.places import open_uri

MEND = "publish it again, or copy it again from where it came; if you changed it yourself, remove its manifest.json"


def shard_paths(dataset: str) -> tuple[pafs.FileSystem, list[str]]:
    """Where the shards of a published dataset are.

    Raises:
        UserError: none are there.
    """
    filesystem, folder = open_uri(dataset)
    try:
        files = filesystem.get_file_info(pafs.FileSelector(folder))
    except OSError as error:
        raise UserError(f"{dataset}: no dataset is here; name the folder of a published one") from error
    shards = sorted(info.path for info in files if _is_shard(info.base_name))
    if not shards:
        raise UserError(f"{dataset}: no dataset is here (no train-*.parquet); name the folder of a published one")
    return filesystem, shards


def dataset_rows(dataset: str, needed: Collection[str], only: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """Every row in published order, with the columns `only`, or with all; one row group is in memory.

    Raises:
        UserError: no dataset is there, or it lacks columns that are needed.
    """
    filesystem, shards = shard_paths(dataset)
    for path in shards:
        with pq.ParquetFile(path, filesystem=filesystem) as file:
            if missing := set(needed) - set(file.schema_arrow.names):
                raise UserError(f"{path}: has no column {min(missing)!r}; name a dataset that this project published")
            for group in range(file.num_row_groups):
                # Not iter_batches: that one holds on to every row group it has read.
                for batch in file.read_row_group(group, columns=only, use_threads=False).to_batches(max_chunksize=1):
                    yield from batch.to_pylist()


def is_dataset(place: str) -> bool:
    """Whether shards of a published dataset lie in this folder."""
    filesystem, folder = open_uri(place)
    if filesystem.get_file_info(folder).is_file:
        return False
    found = filesystem.get_file_info(pafs.FileSelector(folder, allow_not_found=True))
    return any(_is_shard(info.base_name) for info in found)


def _is_shard(name: str) -> bool:
    return name.startswith("train-") and name.endswith(".parquet")


def read_figures(filesystem: pafs.FileSystem, folder: str) -> Mapping[str, Any]:
    """The `stats.json` of the dataset in a folder; empty where there is none."""
    path = f"{folder}/stats.json"
    if not filesystem.get_file_info(path).is_file:
        return {}
    with filesystem.open_input_stream(path) as file:
        figures: Mapping[str, Any] = json.loads(file.read())
    return figures


def check_dataset(dataset: str) -> None:
    """For readers: every byte of a dataset that has a manifest. One without (made elsewhere, or before there were any) passes.

    Raises:
        UserError: names the first files that are damaged, and the mend.
    """
    filesystem, folder = open_uri(dataset)
    if found := manifest.folder_faults(folder, filesystem):
        raise UserError(f"{dataset}: {manifest.told(found)}: {MEND}")


def shard_sums(dataset: str) -> dict[str, str]:
    """The SHA-256 of each shard, by its name: from the manifest, or, where there is none, from the bytes.

    Raises:
        UserError: no dataset is there, or its manifest is damaged.
    """
    filesystem, shards = shard_paths(dataset)
    try:
        held = manifest.load(posixpath.dirname(shards[0]), filesystem) or {}
    except manifest.Damaged as error:
        raise UserError(f"{dataset}: {error}: {MEND}") from error
    named = ((posixpath.basename(path), path) for path in shards)
    return {name: (held[name][0] if name in held else manifest.sum_of(path, filesystem)).sha256 for name, path in named}
