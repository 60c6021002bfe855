"""The faults of a source's rows, equal ones together: a file of a million rows has a handful of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from pipeline.records import Rejected

_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\d+")
"""What differs between rows with one fault: the texts that are quoted, and numbers."""
_SHOWN = 3


@dataclass
class _Fault:
    source: str
    reason: str
    detail: str
    rows: list[str] = field(default_factory=list)
    count: int = 0
    details: set[str] = field(default_factory=set)


class Faults:
    """Counts rejected rows by what is wrong with them."""

    def __init__(self) -> None:
        self._faults: dict[tuple[str, str, str], _Fault] = {}

    def add(self, item: Rejected) -> None:
        key = (item.source, item.reason, _QUOTED.sub("…", item.detail))
        fault = self._faults.setdefault(key, _Fault(item.source, item.reason, item.detail))
        fault.count += 1
        if len(fault.rows) < _SHOWN:
            fault.rows.append(item.row_id)
        if len(fault.details) < 2:
            fault.details.add(item.detail)

    def reasons_of(self, source: str) -> set[str]:
        return {fault.reason for fault in self._faults.values() if fault.source == source}

    def as_data(self) -> list[dict[str, Any]]:
        """Each fault with its count and the names of its first rows, the commonest first."""
        return [
            {
                "source": each.source,
                "reason": each.reason,
                "detail": each.detail,
                "count": each.count,
                "rows": each.rows,
            }
            for each in self._ordered()
        ]

    def lines(self, most: int) -> list[str]:
        """A line for each fault, the commonest first, and how many more there are."""
        ordered = self._ordered()
        more = len(ordered) - most
        hidden = sum(fault.count for fault in ordered[most:])
        rest = [f"… and {more:,} more faults, of {hidden:,} rows"] if more > 0 else []
        return [_line(fault) for fault in ordered[:most]] + rest

    def _ordered(self) -> list[_Fault]:
        return sorted(self._faults.values(), key=lambda fault: -fault.count)


def _line(fault: _Fault) -> str:
    names = ", ".join(fault.rows)
    if fault.count > 1:
        names = f"{fault.count:,} rows ({names}{', …' if fault.count > len(fault.rows) else ''})"
    such = "such as " if len(fault.details) > 1 else ""
    return f"{fault.source} {names}: {fault.reason}: {such}{fault.detail}".replace("\n", " ")
