"""A file that was cut into parts for upload (`images.zip_aa`, `images.zip_ab`, …), read as the whole, in place."""

from __future__ import annotations

import io
import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from pipeline.errors import UserError

_PART = re.compile(r"(?P<stem>.+\.zip)_(?P<number>[a-z]{2})")


def is_part(path: Path) -> bool:
    return _PART.fullmatch(path.name) is not None


def open_parts(first: Path) -> io.BufferedReader:
    """All parts beside the one named, in order.

    Raises:
        UserError: one in between is missing.
    """
    match = _PART.fullmatch(first.name)
    assert match is not None  # the caller asked `is_part`
    stem = match["stem"]
    numbers = sorted(path.name[-2:] for path in first.parent.glob(f"{stem}_??") if is_part(path))
    expected = [_letters(index) for index in range(len(numbers))]
    if missing := sorted(set(expected) - set(numbers)):
        raise UserError(f"{first.parent}/{stem}_{missing[0]}: this part is missing; download it beside the others")
    return io.BufferedReader(JoinedParts([first.parent / f"{stem}_{number}" for number in numbers]))


class JoinedParts(io.RawIOBase):
    """Files as one, as `cat` would join them; seekable and read-only."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._files = [path.open("rb") for path in paths]
        self._ends = list(accumulate(path.stat().st_size for path in paths))
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._ends[-1]}[whence]
        if base + offset < 0:
            raise OSError(f"can't seek to {base + offset}")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Reads on to the end of the part at most, as raw files may."""
        index = bisect_right(self._ends, self._position)
        if index == len(self._ends):
            return 0
        start = self._ends[index - 1] if index else 0
        self._files[index].seek(self._position - start)
        size = self._files[index].readinto(buffer)
        self._position += size
        return size

    def close(self) -> None:
        for file in self._files:
            file.close()
        super().close()


def _letters(index: int) -> str:
    """aa, ab, …, az, ba, …: as `split` numbers its files."""
    return chr(ord("a") + index // 26) + chr(ord("a") + index % 26)
