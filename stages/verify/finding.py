"""What one verification mode finds out about one answer."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """`equal` is None where the mode can't read one of the two sides, and so has nothing to say."""

    equal: bool | None
    reason: str


UNREADABLE = Finding(None, "unreadable")
