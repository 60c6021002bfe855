"""What every reader gives: a source's rows, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

Row = tuple[int | str, Any]
"""The number by which a person finds the row (the line in a JSONL file, else the row, from 1; where there are several
files, a text that names the file, too), and the row: the source's dict, or a `RowError` where it can't be read."""


@dataclass(frozen=True)
class Rows:
    """A source that is open. `count` gives None where only reading to the end can tell.

    `parse` makes the row of what `rows` holds, given its number too: what a limit skips is never parsed.
    """

    rows: Iterator[Row]
    count: Callable[[], int | None]
    parse: Callable[[Any, int | str], Any] = lambda row, _: row

    def take(self, limit: int | None) -> Iterator[Row]:
        """At most `limit` rows, evenly spaced; the first ones where they can't be counted."""
        chosen = self.rows
        if limit is not None:
            # As the reference pipeline's `sample_max_num`, so that the same rows are taken.
            stride = max((self.count() or 0) // limit, 1)
            chosen = islice(self.rows, 0, limit * stride, stride)
        return ((number, self.parse(row, number)) for number, row in chosen)
