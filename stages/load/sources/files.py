"""Rows from JSONL, JSON, CSV and Parquet files. All but JSON are read as a stream."""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import RowError, UserError
from stages.load.sources.rows import Row, Rows

# A cell may hold an image as base64; Python's default limit is 128 KiB.
MAX_CSV_CELL = 2**30
# Rows may hold images, so that a batch of pyarrow's default size (65,536 rows) would not fit into memory.
PARQUET_BATCH_ROWS = 16


def open_jsonl(path: Path, _where: str) -> Rows:
    """One object a line; empty lines are skipped."""

    def lines() -> Iterator[tuple[int, bytes]]:
        with path.open("rb") as file:
            yield from ((number, line) for number, line in enumerate(file, 1) if line.strip())

    return Rows(lines(), lambda: sum(1 for _ in lines()), parse_line)


def parse_line(line: bytes, number: int) -> Any:
    """The value of a JSON line, or a `RowError` that says why there is none."""
    try:
        return json.loads(line.removeprefix(codecs.BOM_UTF8).decode("utf-8"))
    except UnicodeDecodeError as error:
        return RowError("not_utf8", f"line {number}: byte {error.start + 1} is not UTF-8")
    except json.JSONDecodeError as error:
        return RowError("invalid_json", f"line {number}: {error.msg} at column {error.colno}")
    except (ValueError, RecursionError) as error:  # an integer too long, or brackets too deep, for Python
        return RowError("invalid_json", f"line {number}: {error}")


def open_json(path: Path, where: str) -> Rows:
    """A list of objects, or an object that holds the list as `data`; the whole file is held in memory."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UserError(f"{where}: byte {error.start + 1} is not UTF-8; save the file as UTF-8") from error
    except json.JSONDecodeError as error:
        raise UserError(f"{where}: not valid JSON at line {error.lineno}: {error.msg}; correct it") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: not valid JSON: {error}; correct it") from error
    rows = content.get("data") if isinstance(content, dict) else content
    if not isinstance(rows, list):
        raise UserError(f"{where}: holds no list of rows; write one, or an object with the list as `data`")
    return Rows(enumerate(rows, 1), lambda: len(rows))


def open_csv(path: Path, _where: str) -> Rows:
    """A header and rows. Cells are text; the fields that take lists also take them as JSON."""
    csv.field_size_limit(MAX_CSV_CELL)

    def rows() -> Iterator[Row]:
        # What is not UTF-8 is read as lone surrogates, so that only its own row is lost.
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            for number in count(1):
                try:
                    yield number, _check_cells(next(reader))
                except StopIteration:
                    return
                except csv.Error as error:
                    yield number, RowError("invalid_csv", f"up to line {reader.line_num}: {error}")

    return Rows(rows(), lambda: sum(1 for _ in rows()))


def _check_cells(row: dict[Any, Any]) -> dict[str, str | None] | RowError:
    if surplus := row.pop(None, None):
        return RowError("invalid_csv", f"{len(surplus)} more cells than the header has")
    try:
        "".join(cell for cell in row.values() if cell).encode()
    except UnicodeEncodeError:
        return RowError("not_utf8", "a cell holds bytes that are not UTF-8")
    return row


def open_parquet(path: Path, where: str) -> Rows:
    """Columns are fields; a row group that can't be read is one bad row."""
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{where}: not a readable Parquet file: {_line(error)}; write it again") from error

    def rows() -> Iterator[Row]:
        first = 1
        for group in range(file.num_row_groups):
            number = first
            first += file.metadata.row_group(group).num_rows
            try:
                for batch in file.iter_batches(PARQUET_BATCH_ROWS, row_groups=[group]):
                    for row in batch.to_pylist():
                        yield number, row
                        number += 1
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
                detail = f"rows {number} to {first - 1} are lost: {_line(error)}"
                yield number, RowError("unreadable_rows", detail)

    return Rows(rows(), lambda: file.metadata.num_rows)


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0]


FORMATS: dict[str, Callable[[Path, str], Rows]] = {
    ".jsonl": open_jsonl,
    ".json": open_json,
    ".csv": open_csv,
    ".parquet": open_parquet,
}
"""How to open a file, by its suffix: takes the path and what messages call it."""
