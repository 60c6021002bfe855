"""Rows from JSON lines, JSON, CSV, TSV, Parquet and WebDataset files. All but JSON are read as a stream."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import RowError, UserError
from stages.load.sources.data_files import DataFile
from stages.load.sources.nesting import document_rows, inner_rows
from stages.load.sources.rows import Row, Rows
from stages.load.sources.samples import open_samples

# A cell may hold an image as base64; Python's default limit is 128 KiB.
MAX_CSV_CELL = 2**30
MAX_LINE = 2**30
MAX_JSON = 2**33
# Rows may hold images, so that a batch of pyarrow's default size (65,536 rows) would not fit into memory.
PARQUET_BATCH_ROWS = 16


def open_jsonl(file: DataFile) -> Rows:
    """One object a line; empty lines are skipped."""

    def lines() -> Iterator[tuple[int, bytes]]:
        with file.open() as stream:
            for number in count(1):
                # Bounded: a packed file of some bytes can hold a line of any length.
                if not (line := stream.readline(MAX_LINE + 1)):
                    return
                if line.strip():
                    yield number, line

    return Rows(lines(), lambda: sum(1 for _ in lines()), parse_line)


def parse_line(line: bytes, number: int | str) -> Any:
    """The value of a JSON line, or a `RowError` that says why there is none."""
    if len(line) > MAX_LINE:
        return RowError("invalid_json", f"line {number}: longer than {MAX_LINE:,} bytes")
    try:
        return json.loads(line.removeprefix(codecs.BOM_UTF8).decode("utf-8"))
    except UnicodeDecodeError as error:
        return RowError("not_utf8", f"line {number}: byte {error.start + 1} is not UTF-8")
    except json.JSONDecodeError as error:
        return RowError("invalid_json", f"line {number}: {error.msg} at column {error.colno}")
    except (ValueError, RecursionError) as error:  # an integer too long, or brackets too deep, for Python
        return RowError("invalid_json", f"line {number}: {error}")


def open_json(file: DataFile, rows: str | None) -> Rows:
    """The rows at the place `rows` of a JSON value, which is held in memory; JSON lines are read as such."""
    try:
        with file.open() as stream:
            data = stream.read(MAX_JSON + 1)
        if len(data) > MAX_JSON:
            raise UserError(f"{file.where}: longer than {MAX_JSON:,} bytes; write it as JSON lines")
        content = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UserError(f"{file.where}: byte {error.start + 1} is not UTF-8; save the file as UTF-8") from error
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and _is_object(data.lstrip().partition(b"\n")[0]):
            return rows_inside(open_jsonl(file), rows)
        raise UserError(f"{file.where}: not valid JSON at line {error.lineno}: {error.msg}; correct it") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file.where}: not valid JSON: {error}; correct it") from error
    found = list(document_rows(content, rows, file.where))
    return Rows(enumerate(found, 1), lambda: len(found))


def rows_inside(rows: Rows, path: str | None) -> Rows:
    """The rows inside rows; how many there are is not known beforehand."""
    if path is None:
        return rows

    def each() -> Iterator[Row]:
        numbers = count(1)
        for _, row in rows.take(None):
            yield from (
                (next(numbers), inner) for inner in ([row] if isinstance(row, RowError) else inner_rows(row, path))
            )

    return Rows(each(), lambda: None)


def _is_object(line: bytes) -> bool:
    return isinstance(parse_line(line, 1), dict)


def open_csv(file: DataFile, delimiter: str = ",") -> Rows:
    """A header and rows. Cells are text; the fields that take lists also take them as JSON."""
    csv.field_size_limit(MAX_CSV_CELL)

    def rows() -> Iterator[Row]:
        # What is not UTF-8 is read as lone surrogates, so that only its own row is lost.
        with io.TextIOWrapper(file.open(), "utf-8-sig", "surrogateescape", newline="") as stream:
            reader = csv.DictReader(stream, strict=True, delimiter=delimiter)
            _check_header(file, reader)
            for number in count(1):
                try:
                    yield number, _check_cells(next(reader))
                except StopIteration:
                    return
                except csv.Error as error:
                    yield number, RowError("invalid_csv", f"up to line {reader.line_num}: {error}")

    return Rows(rows(), lambda: sum(1 for _ in rows()))


def _check_header(file: DataFile, reader: csv.DictReader[str]) -> None:
    """Of two columns with one name the last would count, unseen; and after a broken header the next line would be one."""
    try:
        names = list(filter(None, reader.fieldnames or ()))
    except csv.Error as error:
        raise UserError(f"{file.where}: the header can't be read: {error}; correct it") from error
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserError(f"{file.where}: two columns are named {twice[0]!r}: rename one")


def _check_cells(row: dict[Any, Any]) -> dict[str, str | None] | RowError:
    if surplus := row.pop(None, None):
        return RowError("invalid_csv", f"{len(surplus)} more cells than the header has")
    try:
        "".join(cell for cell in row.values() if cell).encode()
    except UnicodeEncodeError:
        return RowError("not_utf8", "a cell holds bytes that are not UTF-8")
    return row


def open_parquet(file: DataFile) -> Rows:
    """Columns are fields; a row group that can't be read is one bad row."""
    try:
        table = pq.ParquetFile(file.path or file.open())
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{file.where}: not a readable Parquet file: {_line(error)}; write it again") from error

    def rows() -> Iterator[Row]:
        first = 1
        for group in range(table.num_row_groups):
            number = first
            first += table.metadata.row_group(group).num_rows
            try:
                for batch in table.iter_batches(PARQUET_BATCH_ROWS, row_groups=[group]):
                    for row in batch.to_pylist():
                        yield number, row
                        number += 1
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
                detail = f"rows {number} to {first - 1} are lost: {_line(error)}"
                yield number, RowError("unreadable_rows", detail)

    return Rows(rows(), lambda: table.metadata.num_rows)


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0]


FORMATS: dict[str, Callable[[DataFile, str | None], Rows]] = {
    ".jsonl": lambda file, _: open_jsonl(file),
    ".ndjson": lambda file, _: open_jsonl(file),
    ".json": open_json,
    ".csv": lambda file, _: open_csv(file),
    ".tsv": lambda file, _: open_csv(file, "\t"),
    ".parquet": lambda file, _: open_parquet(file),
    ".tar": lambda file, _: open_samples(file),
}
"""How to open a file, by its suffix: takes the file and where its rows are (`SourceConfig.rows`)."""
