"""Whether a published dataset is what was written: its shards and documents, by the manifest beside them."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from pipeline import manifest
from pipeline.store import open_uri
from pipeline.terminal.speak import say


def damage(dataset: str) -> dict[str, str]:
    """What is wrong with a dataset of our own, by name. One without a manifest is read in full once, and gets one.

    On an object store, which compares checksums of its own, only sizes are compared.
    """
    filesystem, folder = open_uri(dataset)
    found = manifest.folder_faults(folder, filesystem, isinstance(filesystem, pafs.LocalFileSystem))
    return _adopt(dataset, filesystem, folder) if found is None else found


def _adopt(dataset: str, filesystem: pafs.FileSystem, folder: str) -> dict[str, str]:
    infos = filesystem.get_file_info(pafs.FileSelector(folder, allow_not_found=True))
    names = sorted(info.base_name for info in infos if info.is_file)
    found = {name: fault for name in names if (fault := _reading_fault(f"{folder}/{name}", filesystem))}
    for name in ("README.md", *_stated_shards(f"{folder}/stats.json", filesystem)):
        if name not in names:
            found[name] = "is missing"
    if not found:
        sums = {name: (manifest.sum_of(f"{folder}/{name}", filesystem),) for name in names}
        manifest.save(folder, sums, filesystem)
        say(
            f"{dataset}: has no manifest: its {len(names):,} files were read in full, and it has one now",
        )
    return found


def _stated_shards(path: str, filesystem: pafs.FileSystem) -> list[str]:
    """The shards that `stats.json` names."""
    try:
        with filesystem.open_input_stream(path) as file:
            return [shard["name"] for shard in json.loads(file.read()).get("shards", ())]
    except (OSError, ValueError, KeyError, TypeError):
        return ["stats.json"]


def _reading_fault(path: str, filesystem: pafs.FileSystem) -> str | None:
    try:
        if path.endswith(".parquet"):
            with pq.ParquetFile(path, filesystem=filesystem) as file:
                for group in range(file.num_row_groups):
                    file.read_row_group(group, use_threads=False)
        elif path.endswith(".json"):
            with filesystem.open_input_stream(path) as text:
                json.loads(text.read())
        elif not filesystem.get_file_info(path).size:
            return "is empty"
    except (OSError, ValueError, pa.ArrowException) as error:
        return f"can't be read ({' '.join(str(error).split())[:100]})"
    return None
