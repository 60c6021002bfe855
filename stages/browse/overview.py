"""A collection in figures: what the card counts, from the index, and how scores, wrong steps and lengths are spread. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stages.browse.collection import STATUSES

if TYPE_CHECKING:
    from stages.browse.index import Index

MOST_BARS = 40
"""Bars of a chart; of more sources the largest are drawn."""


@dataclass(frozen=True, slots=True)
class SourceFigures:
    """Of one source, or of all, as on a card: counts, and null where nothing was measured."""

    name: str
    problems: int
    solutions: int
    steps: int
    mean_steps: float | None
    mean_mc: float | None
    wrong_steps: float | None
    mixed: float | None
    right: float | None


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a chart: its name, how high it is and what is written at it. `kind` picks the colour."""

    name: str
    value: float
    text: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars with a title that says what is seen; `across` draws them from left to right. `axis` says what the names are.

    `full` is the value that fills the chart: the largest without one.
    """

    title: str
    bars: Sequence[Bar]
    axis: str = ""
    across: bool = False
    full: float | None = None

    @property
    def largest(self) -> float:
        return self.full or max((bar.value for bar in self.bars), default=0) or 1

    def every(self, width: float) -> int:
        """Of so many bars one has room for its name, where letters are up to 9 wide and the chart is `width`."""
        longest = max(len(bar.name) for bar in self.bars)
        return math.ceil((9 * longest + 4) * len(self.bars) / width)


def by_source(index: Index) -> list[SourceFigures]:
    """A row for each source, by name, then one for all."""
    labels = index.table["labels"].combine_chunks()
    offsets = labels.offsets.to_numpy().astype(np.int64)
    label = labels.values.to_numpy()
    score = index.table["scores"].combine_chunks().values.to_numpy().astype(float)
    owner = np.repeat(np.arange(len(index)), np.diff(offsets))
    names = index.names["source"]
    source = index.numbers["source"].astype(np.int64)

    def per_solution(mask: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.bincount(owner, mask, len(index))

    plus, minus = per_solution(label == 1), per_solution(label == 0)
    columns = {
        "solutions": np.ones(len(index)),
        "steps": np.diff(offsets),
        "scored": per_solution(~np.isnan(score)),
        "score": per_solution(np.nan_to_num(score)),
        "labelled": plus + minus,
        "wrong": minus,
        "mixed": (plus > 0) & (minus > 0),
        "right": index.numbers["status"] == STATUSES.index("correct"),
        "judged": index.numbers["status"] != STATUSES.index("unknown"),
    }
    sums = {key: np.bincount(source, values, len(names)) for key, values in columns.items()}
    first = index.order[index.starts[:-1]] if index.num_problems else np.zeros(0, np.int64)
    problems = np.bincount(source[first], minlength=len(names))
    rows = [
        _figures(name, int(problems[number]), {key: float(values[number]) for key, values in sums.items()})
        for number, name in sorted(enumerate(names), key=lambda pair: pair[1])
    ]
    return [*rows, _figures("all", index.num_problems, {key: float(values.sum()) for key, values in sums.items()})]


def charts(index: Index, table: Sequence[SourceFigures]) -> list[Chart]:
    """What the figures look like; a chart of which nothing was measured is left out."""
    score = index.table["scores"].combine_chunks().values.to_numpy().astype(float)
    score = score[~np.isnan(score)]
    found = []
    if len(score):
        # Scores are fractions in single precision: just above an edge is the edge.
        bins = np.ceil(np.clip(score * 10 - 1e-5, 0, 10)).astype(int)
        counts = np.bincount(bins, minlength=11)
        names = [f"{tenth / 10:g}" for tenth in range(11)]
        share = counts[0] / len(score)
        bars = _bars(names, counts, [f"s{n}" for n in range(11)])
        found.append(Chart(f"{share:.0%} of measured steps have score 0", bars, "steps by score, up to"))
    first = index.numbers["first_wrong"]
    if np.any(first > 0):
        counts = np.bincount(first[first > 0])[1:]
        most = int(np.argmax(counts)) + 1
        found.append(
            Chart(
                f"The first wrong step is most often step {most}",
                _bars([str(n + 1) for n in range(len(counts))], counts, ["wrong"] * len(counts)),
                "solutions by their first wrong step",
            )
        )
    rows = [row for row in table[:-1] if row.right is not None]
    if len(rows) > 1:
        rows = sorted(rows, key=lambda row: -(row.right or 0))[:MOST_BARS]
        bars = [Bar(row.name, row.right or 0, f"{row.right or 0:.0%}", "right") for row in rows]
        found.append(Chart("Share of solutions with the right answer, by source", bars, across=True, full=1))
    status = np.bincount(index.numbers["status"].astype(np.int64), minlength=len(STATUSES))
    if status[:-1].sum():
        kinds = {"correct": "right", "incorrect": "wrong"}
        bars = [
            Bar(name.replace("_", " "), float(count), f"{count:,}", kinds.get(name, ""))
            for name, count in zip(STATUSES, status, strict=True)
            if count
        ]
        title = f"{status[0] / status.sum():.0%} of solutions are right"
        found.append(Chart(title, bars, across=True, full=float(status.sum())))
    steps = np.bincount(index.numbers["steps"].astype(np.int64)) if len(index) else np.zeros(0, int)
    if len(steps):
        shown = steps[:31]
        bars = _bars([str(n) for n in range(len(shown))], shown, [""] * len(shown))
        found.append(Chart("Steps of a solution", bars, "solutions by their number of steps"))
    tokens = index.numbers["tokens"]
    if np.any(tokens > 0):
        found.append(_lengths(tokens[tokens > 0], "tokens"))
    elif np.any(index.numbers["characters"] > 0):
        found.append(_lengths(index.numbers["characters"], "characters"))
    return found


def _lengths(values: npt.NDArray[Any], what: str) -> Chart:
    top = max(float(np.quantile(values, 0.99)), 1)
    edges = np.unique(np.round(np.linspace(0, top, 13)).astype(np.int64))
    counts = np.histogram(np.minimum(values, edges[-1]), edges)[0]
    bars = _bars([f"{int(edge):,}" for edge in edges[1:]], counts, [""] * len(counts))
    title = f"{what.capitalize()} of a solution: median {int(np.median(values)):,}"
    return Chart(title, bars, f"solutions by their {what}, up to")


def _bars(names: Sequence[str], counts: npt.NDArray[Any], kinds: Sequence[str]) -> list[Bar]:
    return [
        Bar(name, float(count), f"{int(count):,}", kind) for name, count, kind in zip(names, counts, kinds, strict=True)
    ]


def _figures(name: str, problems: int, sums: dict[str, float]) -> SourceFigures:
    def ratio(part: str, whole: str) -> float | None:
        return sums[part] / sums[whole] if sums[whole] else None

    return SourceFigures(
        name,
        problems,
        int(sums["solutions"]),
        int(sums["steps"]),
        ratio("steps", "solutions"),
        ratio("score", "scored"),
        ratio("wrong", "labelled"),
        ratio("mixed", "solutions") if sums["labelled"] else None,
        ratio("right", "solutions") if sums["judged"] else None,
    )
