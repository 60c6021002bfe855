"""The doors for rows: files, a Hugging Face dataset or a Python function.

Mistakes that concern the whole source are `UserError`s, raised before the first row wherever they can be seen
then; a row that can't be read is a `RowError` in its place.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from pipeline.errors import RowError, UserError
from pipeline.source_config import JoinConfig, SourceConfig
from stages.load.sources.data_files import DataFile, find_data_files, is_pattern
from stages.load.sources.files import FORMATS, rows_inside
from stages.load.sources.functions import open_function
from stages.load.sources.hub import open_dataset
from stages.load.sources.joins import with_borrowed_pictures, with_partners
from stages.load.sources.nesting import WHOLE
from stages.load.sources.rows import Row, Rows

FOLDER = "_folder"
"""The column that holds the folder of a row's file, below the one that the pattern starts from."""
STEM = "_stem"
"""The column that holds the name of a row's file up to its first dot."""


def open_rows(source: SourceConfig) -> Iterator[Row]:
    """The rows of a source, no more than its limit."""
    return _open(source).take(source.limit)


def count_rows(source: SourceConfig) -> int:
    """The rows that `open_rows` gives; reads to the end where nothing cheaper tells."""
    total = _open(source).count()
    if total is None:
        return sum(1 for _ in open_rows(source))
    if source.limit is None:
        return total
    stride = max(total // source.limit, 1)
    return min(source.limit, -(-total // stride))


def _open(source: SourceConfig) -> Rows:
    rows = with_borrowed_pictures(source, lambda: _open_door(source)) if source.borrow_images else _open_door(source)
    if not source.join:
        return rows
    return with_partners(rows, source.join, lambda name, join: _open_join(source, name, join))


def _open_door(source: SourceConfig) -> Rows:
    if source.function is not None:
        return rows_inside(open_function(source.name, source.function, source.kwargs), source.rows)
    if source.dataset is not None:
        dataset = open_dataset(source.name, source.dataset, source.dataset_config, source.split)
        return rows_inside(dataset, source.rows)
    assert source.path is not None  # the configuration has exactly one door
    return _open_files(source.path, source.members, source.rows, f"source {source.name!r}, path {source.path}")


def _open_join(source: SourceConfig, name: str, join: JoinConfig) -> Rows:
    return _open_files(join.path, join.members, join.rows, f"source {source.name!r}, join.{name}, path {join.path}")


def _open_files(path: str, members: str | None, rows: str | None, where: str) -> Rows:
    files = find_data_files(path, members, where, FORMATS)
    for file in files:
        if file.suffix not in FORMATS:
            endings = ", ".join(FORMATS)
            raise UserError(
                f"{file.where}: unknown file type {file.suffix!r}; use one of {endings}, or one of them .gz"
            )
    if len(files) == 1 and not is_pattern(path) and members is None:
        return _open_file(files[0], rows)
    return _open_several(files, rows)


def _open_file(file: DataFile, rows: str | None) -> Rows:
    found = FORMATS[file.suffix](file, rows)
    return found if file.suffix == ".json" else rows_inside(found, rows)


def _open_several(files: Sequence[DataFile], rows: str | None) -> Rows:
    """The rows of all files one after the other, each with the columns `_folder` and `_stem` of its file's name."""

    def each() -> Iterator[tuple[str, Any]]:
        for file in files:
            named = {FOLDER: posixpath.dirname(file.name), STEM: posixpath.basename(file.name).partition(".")[0]}
            try:
                found = _open_file(file, rows)
            except UserError as error:
                # Of many small files one may be broken; a shard of a large file is not passed over.
                if file.suffix != ".json":
                    raise
                yield file.name, (lambda error=error: RowError("unreadable_file", str(error)))
                continue
            for number, raw in found.rows:
                label = file.name if rows == WHOLE else f"{number} of {file.name}"
                yield label, partial(_with_file, found, raw, number, named)

    def total() -> int | None:
        if rows == WHOLE and all(file.suffix == ".json" for file in files):
            return len(files)
        counts = [_open_file(file, rows).count() for file in files]
        return None if None in counts else sum(filter(None, counts))

    return Rows(each(), total, lambda parse, _: parse())


def _with_file(found: Rows, raw: Any, number: int | str, named: dict[str, str]) -> Any:
    row = found.parse(raw, number)
    return {**named, **row} if isinstance(row, Mapping) else row
