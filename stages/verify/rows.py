"""Rows of files of responses for `visualprm verify`: JSON lines, CSV and Parquet.

A row has `answer` (the gold) and `response`; optional are `question`, `options` or `choices` (texts, A first), `verify`
(modes), `finish_reason`, `source`, `id` and `correct` (true, false, or null for unknown). Where the judgements were
checked, `reviewed_correct` stands above `correct`, and a row whose `suspect` says why its `correct` is in doubt is not
compared. In CSV a list is written as JSON, and an empty cell is no value.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pipeline.errors import UserError
from pipeline.records import FinishReason, Verdict
from stages.verify.modes import MODES

MAX_CELL = 1 << 24
"""Characters of a CSV cell."""
_LISTS = ("options", "choices", "verify")
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


@dataclass(frozen=True)
class Row:
    """A row of a file and what was found; `number` is its line, or its place among the rows of a CSV or Parquet file."""

    given: Mapping[str, Any]
    verdict: Verdict
    file: str = ""
    number: int = 0

    @property
    def known(self) -> bool | None:
        """Whether the response is right, as far as that is beyond doubt."""
        reviewed: bool | None = self.given.get("reviewed_correct")
        if reviewed is not None:
            return reviewed
        return None if self.given.get("suspect") is not None else self.given.get("correct")

    @property
    def agrees(self) -> bool | None:
        """Whether the verdict is what is known; None where nothing is."""
        return None if self.known is None else (self.verdict.status == "correct") == self.known


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a file with their numbers.

    Raises:
        UserError: the file can't be read, or a row is none.
    """
    readers = {".csv": _csv_rows, ".parquet": _parquet_rows}
    try:
        for number, row in readers.get(path.suffix, _json_lines)(path):
            yield number, _checked(row, _where(path, number))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: can't be read: {error}") from error


def _where(path: Path, number: int) -> str:
    return f"{path}, {'row' if path.suffix in ('.csv', '.parquet') else 'line'} {number}"


def _json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    # Not `splitlines`: JSON may hold other line separators inside its texts.
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError as error:
                raise UserError(f"{_where(path, number)}: not valid JSON: {error}") from error


def _csv_rows(path: Path) -> Iterator[tuple[int, Any]]:
    csv.field_size_limit(MAX_CELL)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        names = list(reader.fieldnames or ())
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise UserError(f"{path}: two columns are called {twice[0]!r}: rename one")
        for number, cells in enumerate(reader, 1):
            # A comma in a response without quotes would cut it there.
            if None in cells or None in cells.values():
                many = "more" if None in cells else "fewer"
                raise UserError(
                    f"{_where(path, number)}: has {many} cells than the header: quote texts with commas or lines"
                )
            row: dict[str, Any] = {name: cell for name, cell in cells.items() if cell not in (None, "")}
            # An empty response is a response without an answer.
            row.setdefault("response", "" if "response" in cells else None)
            for name in _LISTS:
                if name in row:
                    row[name] = _list(row[name], f"{_where(path, number)}: `{name}`")
            for name in ("correct", "reviewed_correct"):
                if name in row:
                    row[name] = _BOOLEANS.get(row[name].strip().lower(), row[name])
            yield number, row


def _list(cell: str, where: str) -> Any:
    if not cell.startswith("["):
        return cell.split(",") if where.endswith("`verify`") else cell
    try:
        return json.loads(cell)
    except ValueError as error:
        raise UserError(f"{where} must be a list in JSON: {error}") from error


def _parquet_rows(path: Path) -> Iterator[tuple[int, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    wanted = ("answer", "response", "question", "options", "choices", "verify", "finish_reason", "source", "id", "correct",
              "reviewed_correct", "suspect")  # fmt: skip
    try:
        file = pq.ParquetFile(path)
        number = 0
        for batch in file.iter_batches(columns=[name for name in file.schema_arrow.names if name in wanted]):
            for row in batch.to_pylist():
                number += 1
                yield number, row
    except pa.ArrowException as error:
        raise UserError(f"{path}: not a readable Parquet file: {str(error).partition(chr(10))[0]}") from error


def _checked(row: Any, where: str) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise UserError(f"{where}: expected an object")
    for key in ("answer", "response"):
        if not isinstance(row.get(key), str):
            raise UserError(f"{where}: `{key}` must be a text")
    options = options_of(row)
    if not isinstance(options, list) or not all(isinstance(option, str) for option in options):
        raise UserError(f"{where}: `options` must be a list of texts")
    check_modes(row.get("verify") or (), f"{where}: `verify`")
    if (ended := row.get("finish_reason")) not in (None, "", *get_args(FinishReason)):
        raise UserError(f"{where}: `finish_reason` is {ended!r}; known are {', '.join(get_args(FinishReason))}")
    for key in ("correct", "reviewed_correct"):
        if row.get(key) not in (True, False, None):
            raise UserError(f"{where}: `{key}` must be true, false or null")
    return row


def options_of(row: Mapping[str, Any]) -> Any:
    """The texts of a multiple choice. An object in `options` holds something else, such as settings of a test."""
    options = row.get("options")
    return (None if isinstance(options, Mapping) else options) or row.get("choices") or []


def check_modes(modes: Sequence[str], where: str) -> None:
    """
    Raises:
        UserError: for a mode that does not exist.
    """
    if unknown := set(modes) - MODES.keys():
        raise UserError(f"{where}: unknown mode {min(unknown)!r}; known are {', '.join(MODES)}")
