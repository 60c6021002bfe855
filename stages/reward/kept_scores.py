"""Scores as far as they have come: beside the file that is to be written, so that a stop or a full disk costs a chunk."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline import manifest, origin
from pipeline.inputs import located
from pipeline.store import one_line_io_errors
from pipeline.terminal.speak import say

Row = dict[str, Any]


class KeptScores:
    """`<out>.part`: a line that says what is scored by what, then a row of scores a line, in order.

    Rows count by whole chunks. What was made from something else is begun again.
    """

    def __init__(self, out: Path, made_from: str, chunk_rows: Sequence[int]) -> None:
        self.path = out.with_name(f"{out.name}.part")
        self._made_from = made_from
        self.chunks, self.rows, end = self._held(chunk_rows)
        """What is kept: whole chunks, and their rows."""
        with one_line_io_errors(str(self.path)):
            self._file = self.path.open("r+b" if end else "wb")
            self._file.seek(end)
            self._file.truncate()
            if not end:
                self._put({"made_from": made_from})

    def read(self) -> Iterator[Row]:
        """The rows that are kept."""
        with self.path.open("rb") as lines:
            next(lines)
            for _ in range(self.rows):
                yield json.loads(next(lines))

    def add(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Keeps rows as they come by."""
        for row in rows:
            with one_line_io_errors(str(self.path)):
                self._put(row)
            yield row

    def close(self, remove: bool) -> None:
        """`remove`: the scores are where they belong."""
        with one_line_io_errors(str(self.path)):
            self._file.close()
            if remove:
                self.path.unlink(missing_ok=True)

    def _put(self, value: Row) -> None:
        self._file.write(json.dumps(value, ensure_ascii=False).encode() + b"\n")
        self._file.flush()

    def _held(self, chunk_rows: Sequence[int]) -> tuple[int, int, int]:
        """Chunks and rows that are whole, and the byte where they end."""
        if not self.path.is_file():
            return 0, 0, 0
        with self.path.open("rb") as file:
            ends, end = [], 0
            for line in file:
                end += len(line)
                if not (line.endswith(b"\n") and _is_json(line)):
                    break
                ends.append(end)
            file.seek(0)
            first = json.loads(file.readline()) if ends else {}
        if first.get("made_from") != self._made_from:
            say(f"{self.path}: of another file or model, or cut: started again")
            return 0, 0, 0
        chunks = rows = 0
        for size in chunk_rows:
            if rows + size > len(ends) - 1:
                break
            chunks, rows = chunks + 1, rows + size
        say(f"{self.path}: going on behind {rows:,} solutions that are scored")
        return chunks, rows, ends[rows]


def made_from(file: Path, model: str, settings: Sequence[Any]) -> str:
    """Stands for a file, a model and how the one is scored by the other."""
    folder = Path(located(model))
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    stated = [(str(path.relative_to(folder)), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return origin.digest([manifest.sum_of(os.path.abspath(file)).sha256, model, stated, list(settings)])


def _is_json(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
