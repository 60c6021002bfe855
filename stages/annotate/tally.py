"""What the verifier said, counted by source: from what is being annotated, from a ledger, from what was published.

Pure. A tally is what `stages/annotate/plausible.py` judges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.config import LabelConfig
from pipeline.records import Solution
from stages.label import labelled_steps, of_draws


@dataclass(slots=True)
class Answers:
    """Of one source: problems with solutions, and their solutions and continuations by verdict."""

    problems: int = 0
    solutions: Counter[str] = field(default_factory=Counter)
    draws: Counter[str] = field(default_factory=Counter)

    def add(self, other: Answers) -> None:
        self.problems += other.problems
        self.solutions.update(other.solutions)
        self.draws.update(other.draws)


@dataclass(slots=True)
class Tally:
    """The answers of each source, and whether any step of any of them has the label `+`."""

    sources: dict[str, Answers] = field(default_factory=dict)
    positive: bool = False

    def count(self, source: str, solutions: Iterable[Solution], label: LabelConfig) -> None:
        """Adds a problem; one without solutions has failed and is none."""
        counted = list(solutions)
        if not counted:
            return
        found = Answers(1)
        found.solutions.update(one.verdict.status for one in counted)
        found.draws.update(draw.verdict.status for one in counted for step in one.steps for draw in step.draws)
        self.add(Tally({source: found}, self.positive or has_positive(counted, label)))

    def add(self, other: Tally) -> None:
        for source, answers in other.sources.items():
            self.sources.setdefault(source, Answers()).add(answers)
        self.positive = self.positive or other.positive

    def total(self) -> Answers:
        whole = Answers()
        for answers in self.sources.values():
            whole.add(answers)
        return whole

    def row(self) -> dict[str, Any]:
        """As JSON values."""
        sources = {
            name: {"problems": one.problems, "solutions": dict(one.solutions), "draws": dict(one.draws)}
            for name, one in self.sources.items()
        }
        return {"sources": sources, "positive": self.positive}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Tally:
        sources = {
            name: Answers(one["problems"], Counter(one["solutions"]), Counter(one["draws"]))
            for name, one in row["sources"].items()
        }
        return cls(sources, row["positive"])


def has_positive(solutions: Iterable[Solution], label: LabelConfig) -> bool:
    """Whether a step of these has the label `+`."""
    return any(found == "+" for one in solutions for _, found in labelled_steps(one, of_draws(label)))


def together(tallies: Iterable[Tally]) -> Tally:
    """The sum, in a tally of its own."""
    whole = Tally()
    for tally in tallies:
        whole.add(tally)
    return whole
