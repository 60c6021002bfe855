"""What became of each fault, and the table of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.markdown import compact_table

MENDED, REFUSED, HARMLESS = "mended", "refused in one line", "harmless"
FOUND = "named by `doctor`, right results"
"""Nothing that was damaged was read."""
CARRIED_ON = "told, and went on"
SILENT, TRACEBACK, HANG, LEFT = "SILENT WRONG RESULT", "TRACEBACK", "HANG", "PROCESSES LEFT BEHIND"
BAD = (SILENT, TRACEBACK, HANG, LEFT)


@dataclass(frozen=True, slots=True)
class Result:
    """`what` a fault was done to, the `fault`, and the `outcome`: one of the words above; `detail` for a person."""

    what: str
    fault: str
    outcome: str
    detail: str = ""


def table(found: Iterable[Result]) -> str:
    """A row for each kind of file or writer, a column for each fault."""
    cells: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for one in found:
        cells[one.what][one.fault][one.outcome] += 1
    faults = list(dict.fromkeys(fault for row in cells.values() for fault in row))
    rows = [[what, *(_cell(row[fault]) for fault in faults)] for what, row in cells.items()]
    return compact_table(["", *faults], rows)


def _cell(counts: Counter[str]) -> str:
    if len(counts) == 1 and counts.total() == 1:
        return next(iter(counts))
    return ", ".join(f"{number} {outcome}" for outcome, number in counts.most_common())
