"""Compares problems with the benchmarks that the configuration names: flags them, drops some, and reports each."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

from pipeline.config import ContaminationConfig, RunConfig, SourceConfig
from pipeline.errors import UserError
from pipeline.records import Problem, Rejected
from pipeline.terminal.speak import say
from stages.load.contamination import Index, Overlap
from stages.load.parse import load_benchmark
from stages.load.paths import locate

REPORT = "contamination.jsonl"
"""The report's name in the run directory."""


class Screen:
    """The benchmarks of a configuration. `report` grows by a row for each overlap of a problem."""

    def __init__(self, config: ContaminationConfig, data_root: str | None) -> None:
        """Reads every benchmark.

        Raises:
            UserError: one can't be opened, or none of its rows can be read.
        """
        self.report: list[dict[str, Any]] = []
        self._drop = frozenset(config.drop)
        self._index = Index(config.ngram, config.max_common, config.max_distance)
        for source in locate(config.against, data_root):
            _read(source, self._index)
        self._index.close()

    def __call__(self, problem: Problem) -> Problem | Rejected:
        """The problem with its flag, or why it is dropped."""
        overlaps = self._index.find(problem.question, problem.images)
        dropped = [overlap for overlap in overlaps if overlap.kind in self._drop]
        for overlap in overlaps:
            self.report.append(
                {
                    "problem_id": problem.problem_id,
                    "source": problem.source,
                    "id": problem.row_id,
                    **dataclasses.asdict(overlap),
                    "dropped": bool(dropped),
                }
            )
        if dropped:
            return Rejected(problem.source, problem.row_id, "contaminated", _told(dropped[0]))
        found = tuple(sorted({overlap.benchmark for overlap in overlaps}))
        return dataclasses.replace(problem, contamination=found)

    def look(self, problem: Problem) -> None:
        """Compares its images, which is what takes long, and remembers what it found; on any thread."""
        self._index.look(problem.images)

    def summary(self) -> list[str]:
        """A line for each benchmark that problems overlap with."""
        kinds: dict[str, Counter[str]] = {}
        for row in self.report:
            kinds.setdefault(row["benchmark"], Counter())[row["kind"]] += 1
        return [
            f"overlap with {name}: " + ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
            for name, counts in sorted(kinds.items())
        ]


def open_screen(config: RunConfig) -> Screen | None:
    """None if the configuration names no benchmarks."""
    return Screen(config.contamination, config.data_root) if config.contamination else None


def _read(source: SourceConfig, index: Index) -> None:
    rows, bad = 0, Counter[str]()
    for row in load_benchmark(source):
        if isinstance(row, Rejected):
            bad[row.reason] += 1
        else:
            rows += 1
            index.add(source.name, row.row_id, row.question, row.images)
    reasons = ", ".join(f"{count} {reason}" for reason, count in bad.most_common())
    if not rows:
        raise UserError(
            f"contamination.against {source.name!r}: none of its rows could be read ({reasons or 'it is empty'}): "
            "correct its `fields` or `images`"
        )
    if bad:
        say(f"benchmark {source.name}: left out {sum(bad.values())} rows: {reasons}")


def _told(overlap: Overlap) -> str:
    what = []
    if overlap.distance is not None:
        what.append(f"an image differs by {overlap.distance} of 64 bits")
    if overlap.ngram is not None:
        what.append(f"shares the words {overlap.ngram!r}")
    return f"as in {overlap.benchmark}, {overlap.row_id}: {' and '.join(what)}"
