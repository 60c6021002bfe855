"""Sorting more than memory holds: lines wait in files, of which one at a time, or only an index, is in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline import atomic

BUCKETS = 256


class Buckets:
    """Lines by hexadecimal key: in at random, out in order of the key, then of their arrival.

    Memory holds one bucket, 1/256 of the lines.
    """

    def __init__(self, folder: Path) -> None:
        self._paths = [folder / f"{index:02x}" for index in range(BUCKETS)]
        self._files = [path.open("wb") for path in self._paths]

    def add(self, key: str, line: bytes) -> None:
        """Takes a line without its end; `key` is at least two hexadecimal digits and has no tab."""
        self._files[int(key[:2], 16)].write(key.encode() + b"\t" + line + b"\n")

    def sorted(self) -> Iterator[tuple[str, bytes]]:
        for file in self._files:
            file.close()
        for path in self._paths:
            with path.open("rb") as lines:
                entries = [line.rstrip(b"\n").split(b"\t", 1) for line in lines]
            path.unlink()
            for key, line in sorted(entries, key=lambda entry: entry[0]):
                yield key.decode(), line


class SortedLines:
    """A JSONL file that is written in order of its rows' keys; memory holds the keys and places of its lines."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._spool = path.with_name(f"{path.name}.spool")
        self._file = self._spool.open("wb")
        self._index: list[tuple[Any, int, int]] = []

    def add(self, key: Any, record: Any) -> None:
        line = json.dumps(record, ensure_ascii=False).encode() + b"\n"
        self._index.append((key, self._file.tell(), len(line)))
        self._file.write(line)

    def finish(self) -> int:
        """Writes the file; rows with equal keys are in order of their arrival. Gives the number of rows."""
        self._file.close()
        with self._spool.open("rb") as spool, atomic.opened(str(self._path)) as out:
            for _, start, size in sorted(self._index, key=lambda entry: entry[0]):
                spool.seek(start)
                out.write(spool.read(size))
        self._spool.unlink()
        return len(self._index)
