"""The published files: rows become shards of bounded size.

The K solutions of a problem share its images. They lie side by side in one row group, whose image bytes
are dictionary-encoded, so that each image is stored once and still belongs to every row.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from pipeline import atomic, manifest
from pipeline.atomic import Sum
from pipeline.config import PublishConfig
from pipeline.errors import UserError
from pipeline.schemas import PUBLISHED_SCHEMA
from pipeline.store import one_line_io_errors
from stages.publish.features import with_features

DOCUMENTS = ("README.md", "stats.json")
"""What lies beside the shards and their manifest; the last one is written last and completes the dataset."""
LAST = (manifest.FILE, *DOCUMENTS)
"""What comes after the shards where a folder can't come as a whole."""

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
GROUPS_AT_ONCE = 8
BUILT_BYTES = 1 << 25
"""Row groups whose rows are made together, and when their image bytes are enough: for small ones, the calls cost more than what
they do."""
_BUFFER_BYTES = 1 << 20
"""Of a file that is written: the Parquet writer asks for a few bytes at a time."""

_SHARD = re.compile(r"train-\d{5}-of-\d{5}\.parquet")


@dataclass(frozen=True, slots=True)
class Shard:
    """A published file: its name, rows and bytes."""

    name: str
    rows: int
    bytes: int


def check_output(out_dir: str, filesystem: pafs.FileSystem) -> None:
    """Refuses a folder that can't be written, or whose replacement would lose files that aren't ours.

    Raises:
        UserError: one line that names the folder and the mend.
    """
    out_dir = atomic.place(out_dir, filesystem)
    with one_line_io_errors(out_dir):
        found = filesystem.get_file_info(pafs.FileSelector(out_dir, allow_not_found=True))
        for name in sorted(info.base_name for info in found):
            if name not in LAST and not _SHARD.fullmatch(name):
                raise UserError(
                    f"output_dir={out_dir}: publish would remove {name!r}: choose another folder or move it"
                )
        atomic.check_folder(out_dir, filesystem)


def size_of(table: pa.Table) -> int:
    """The bytes of a table in memory, as if it had been made row by row: where a shard ends follows from it."""
    return int(table.nbytes) - sum(_needless(chunk) for column in table.columns for chunk in column.chunks)


def _needless(array: pa.Array) -> int:
    """The bytes of bitmaps of nulls where there are none, as in columns from a file, or of bits that begin within a byte."""
    bits = -(-len(array) // 8)
    spanned = -(-(array.offset % 8 + len(array)) // 8)
    own = (spanned if array.buffers()[0] is not None else 0) - (bits if array.null_count else 0)
    if pa.types.is_boolean(array.type):
        return own + spanned - bits
    if pa.types.is_struct(array.type):
        return own + sum(_needless(array.field(index)) for index in range(array.type.num_fields))
    return own + (_needless(_values(array)) if pa.types.is_list(array.type) else 0)


def _values(lists: pa.ListArray) -> pa.Array:
    """The values of some rows of a larger array, with what lies between them; `flatten` would copy where a row is null."""
    if not len(lists):
        return lists.values[:0]
    first, last = lists.offsets[0].as_py(), lists.offsets[-1].as_py()
    return lists.values.slice(first, last - first)


@dataclass(slots=True)
class _Group:
    """What becomes a row group: problems, their rows, their image bytes with each image once a row, and each image's size."""

    problems: list[Any] = field(default_factory=list)
    rows: int = 0
    bytes: int = 0
    images: dict[str, int] = field(default_factory=dict)


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
        build: Callable[[list[Any]], pa.Table] | None = None,
    ) -> None:
        """`build` makes the rows of problems that come through `take`; those of `add` are rows already."""
        self._folder, self._filesystem, self._config = folder, filesystem, config
        self._schema = with_features(schema)
        self._build = build or self._of_rows
        self._group = _Group()
        self._full: list[_Group] = []
        self._rows: list[int] = []
        self._written: list[Sum] = []
        self.sums: dict[str, Sum] = {}
        """Of the finished files, by name."""
        self._next_shard()

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        """Takes all rows of one problem; only a problem with more than `row_group_rows` exceeds that."""
        images = [(image["path"], len(image["bytes"])) for image in rows[0]["images"]] if rows else []
        self.take(rows, len(rows), images)

    def take(self, problem: Any, rows: int, images: Sequence[tuple[str, int]]) -> None:
        """As `add`, of a problem that becomes rows when its group is written: how many, and its images' paths and sizes."""
        size = rows * sum(size for _, size in images)
        group = self._group
        too_many = group.rows + rows > self._config.row_group_rows
        if group.problems and (too_many or group.bytes + size > _MAX_GROUP_BYTES):
            self._full.append(group)
            group = self._group = _Group()
            if len(self._full) == GROUPS_AT_ONCE or sum(full.bytes for full in self._full) >= BUILT_BYTES:
                self._write_groups()
        group.problems.append(problem)
        group.rows += rows
        group.bytes += size
        group.images.update(images)

    def finish(self) -> list[Shard]:
        """Writes what is left and gives the files their names, which hold their number."""
        if self._group.problems:
            self._full.append(self._group)
        if self._full:
            self._write_groups()
        self.close()
        return [self._name(index, rows) for index, rows in enumerate(self._rows)]

    def close(self) -> None:
        self._writer.close()
        if not self._sink.closed:
            self._out.close()
            self._written.append(self._sink.sum)

    def _write_groups(self) -> None:
        table = self._build([problem for group in self._full for problem in group.problems])
        starts = itertools.accumulate((group.rows for group in self._full), initial=0)
        for group, start in zip(self._full, starts, strict=False):
            self._write_group(table.slice(start, group.rows), group)
        self._full = []

    def _write_group(self, table: pa.Table, group: _Group) -> None:
        if self._rows[-1] and self._ends(table, group):
            self.close()
            self._next_shard()
        self._writer.write_table(table, row_group_size=table.num_rows)
        self._rows[-1] += table.num_rows

    def _ends(self, table: pa.Table, group: _Group) -> bool:
        """Whether the shard would become too large by this group."""
        left = self._config.max_shard_bytes - self._out.tell() + group.bytes - sum(group.images.values())
        # The first is never less than the second, and quickly told.
        return bool(table.nbytes > left) and size_of(table) > left

    def _of_rows(self, problems: list[Sequence[dict[str, Any]]]) -> pa.Table:
        return pa.Table.from_pylist([row for rows in problems for row in rows], schema=self._schema)

    def _next_shard(self) -> None:
        self._sink = atomic.opened(f"{self._folder}/{len(self._rows)}", self._filesystem)
        self._out = pa.BufferedOutputStream(pa.PythonFile(self._sink, mode="w"), _BUFFER_BYTES)
        self._writer = pq.ParquetWriter(self._out, self._schema, **WRITER_OPTIONS)
        self._rows.append(0)

    def _name(self, index: int, rows: int) -> Shard:
        name = f"train-{index:05d}-of-{len(self._rows):05d}.parquet"
        self._filesystem.move(f"{self._folder}/{index}", f"{self._folder}/{name}")
        self.sums[name] = self._written[index]
        return Shard(name, rows, self.sums[name].bytes)


def write_documents(
    folder: str, filesystem: pafs.FileSystem, texts: Mapping[str, str], shards: Mapping[str, Sum]
) -> None:
    """Writes what lies beside finished shards, and the manifest of all."""
    sums = dict(shards)
    for name, text in texts.items():
        with atomic.opened(f"{folder}/{name}", filesystem) as file:
            file.write(text.encode())
        sums[name] = file.sum
    manifest.save(folder, {name: (one,) for name, one in sums.items()}, filesystem)
