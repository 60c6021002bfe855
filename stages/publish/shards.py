"""The published files: rows become shards of bounded size, and a finished folder takes the old one's place.

The K solutions of a problem share its images. They lie side by side in one row group, whose image bytes
are dictionary-encoded, so that each image is stored once and still belongs to every row.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from pipeline.config import PublishConfig
from pipeline.errors import UserError
from pipeline.records import PUBLISHED_SCHEMA
from pipeline.store import one_line_io_errors

DOCUMENTS = ("README.md", "stats.json")
"""What may lie beside the shards; the last one is written last and completes the dataset."""

WRITER_OPTIONS: Mapping[str, Any] = {
    "version": "2.6",
    "data_page_version": "1.0",
    "compression": "zstd",
    "compression_level": 3,
    "write_statistics": ["id", "source"],
    # Past this limit the writer drops the dictionary and repeats every image; the default is 1 MB.
    "dictionary_pagesize_limit": 1 << 30,
}
"""How shards are written; pinned, since published bytes are compared."""

_MAX_GROUP_BYTES = 1 << 28
"""Image bytes of a row group as a reader decodes it, each image once a row."""

_SHARD = re.compile(r"train-\d{5}-of-\d{5}\.parquet")


@dataclass(frozen=True, slots=True)
class Shard:
    """A published file: its name, rows and bytes."""

    name: str
    rows: int
    bytes: int


def published_schema(schema: pa.Schema = PUBLISHED_SCHEMA) -> pa.Schema:
    """The schema with the metadata by which `datasets` decodes images without a cast."""
    from datasets import Features, Image, List

    features = Features.from_arrow_schema(schema)
    features["images"] = List(Image())
    return schema.with_metadata(features.arrow_schema.metadata)


def check_output(out_dir: str, filesystem: pafs.FileSystem) -> None:
    """Refuses a folder that can't be written, or whose replacement would lose files that aren't ours.

    Raises:
        UserError: one line that names the folder and the mend.
    """
    out_dir = place(out_dir, filesystem)
    with one_line_io_errors(out_dir):
        for name in _names(out_dir, filesystem):
            if name not in DOCUMENTS and not _SHARD.fullmatch(name):
                raise UserError(
                    f"output_dir={out_dir}: publish would remove {name!r}: choose another folder or move it"
                )
        _delete(f"{out_dir}.tmp-new", filesystem)
        filesystem.create_dir(f"{out_dir}.tmp-new")
        _delete(f"{out_dir}.tmp-new", filesystem)


class ShardWriter:
    """Collects problems into row groups and row groups into files of bounded size.

    A file exceeds `max_shard_bytes` if a single row group does, or by its footer (some kB).
    """

    def __init__(
        self,
        folder: str,
        filesystem: pafs.FileSystem,
        config: PublishConfig,
        schema: pa.Schema = PUBLISHED_SCHEMA,
    ) -> None:
        self._folder, self._filesystem, self._config = folder, filesystem, config
        self._schema = published_schema(schema)
        self._group: list[dict[str, Any]] = []
        self._group_bytes = 0
        self._rows: list[int] = []
        self._next_shard()

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        """Takes all rows of one problem; only a problem with more than `row_group_rows` exceeds that."""
        size = sum(len(image["bytes"]) for row in rows for image in row["images"])
        too_many = len(self._group) + len(rows) > self._config.row_group_rows
        if self._group and (too_many or self._group_bytes + size > _MAX_GROUP_BYTES):
            self._write_group()
        self._group += rows
        self._group_bytes += size

    def finish(self) -> list[Shard]:
        """Writes what is left and gives the files their names, which hold their number."""
        if self._group:
            self._write_group()
        self.close()
        return [self._name(index, rows) for index, rows in enumerate(self._rows)]

    def close(self) -> None:
        self._writer.close()
        self._sink.close()

    def _write_group(self) -> None:
        table = pa.Table.from_pylist(self._group, schema=self._schema)
        once = {image["path"]: len(image["bytes"]) for row in self._group for image in row["images"]}
        expected = table.nbytes - self._group_bytes + sum(once.values())
        if self._rows[-1] and self._sink.tell() + expected > self._config.max_shard_bytes:
            self.close()
            self._next_shard()
        self._writer.write_table(table, row_group_size=table.num_rows)
        self._rows[-1] += table.num_rows
        self._group, self._group_bytes = [], 0

    def _next_shard(self) -> None:
        self._sink = self._filesystem.open_output_stream(f"{self._folder}/{len(self._rows)}")
        self._writer = pq.ParquetWriter(self._sink, self._schema, **WRITER_OPTIONS)
        self._rows.append(0)

    def _name(self, index: int, rows: int) -> Shard:
        name = f"train-{index:05d}-of-{len(self._rows):05d}.parquet"
        self._filesystem.move(f"{self._folder}/{index}", f"{self._folder}/{name}")
        return Shard(name, rows, self._filesystem.get_file_info(f"{self._folder}/{name}").size)


@contextmanager
def replacing(out_dir: str, filesystem: pafs.FileSystem) -> Iterator[str]:
    """A new folder beside `out_dir` that takes its place when it is complete."""
    staging = f"{out_dir}.tmp-new"
    try:
        _delete(staging, filesystem)
        filesystem.create_dir(staging)
        yield staging
        if isinstance(filesystem, pafs.LocalFileSystem):
            _swap(staging, out_dir, filesystem)
        else:
            _move_files(staging, out_dir, filesystem)
    finally:
        with suppress(OSError):
            _delete(staging, filesystem)


def _swap(staging: str, out_dir: str, filesystem: pafs.FileSystem) -> None:
    """Two renames: a reader finds the old dataset, for an instant none, then the new one."""
    old = f"{out_dir}.tmp-old"
    _delete(old, filesystem)
    if _exists(out_dir, filesystem):
        filesystem.move(out_dir, old)
    filesystem.move(staging, out_dir)
    _delete(old, filesystem)


def _move_files(staging: str, out_dir: str, filesystem: pafs.FileSystem) -> None:
    """File by file, since an object store can't rename folders: no last document, no dataset."""
    for name in reversed(_names(out_dir, filesystem)):
        filesystem.delete_file(f"{out_dir}/{name}")
    filesystem.create_dir(out_dir)
    for name in _names(staging, filesystem):
        filesystem.move(f"{staging}/{name}", f"{out_dir}/{name}")


def _names(folder: str, filesystem: pafs.FileSystem) -> list[str]:
    """What is in a folder, in the order in which it is written: shards, then the documents in theirs."""
    found = filesystem.get_file_info(pafs.FileSelector(folder, allow_not_found=True))
    names = sorted(info.base_name for info in found)
    return sorted(names, key=lambda name: DOCUMENTS.index(name) if name in DOCUMENTS else -1)


def place(out_dir: str, filesystem: pafs.FileSystem) -> str:
    """The folder to replace: on a local disk what a link points to, not the link."""
    return os.path.realpath(out_dir) if isinstance(filesystem, pafs.LocalFileSystem) else out_dir.rstrip("/")


def _exists(path: str, filesystem: pafs.FileSystem) -> bool:
    return bool(filesystem.get_file_info(path).type != pafs.FileType.NotFound)


def _delete(folder: str, filesystem: pafs.FileSystem) -> None:
    if _exists(folder, filesystem):
        filesystem.delete_dir(folder)
