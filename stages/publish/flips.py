"""What judging stored responses anew changed: verdicts and hard labels, counted by source and mode. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.records import Solution, Verdict

Labels = Sequence[str | None]
"""The hard labels of a solution's steps."""


@dataclass
class Flips:
    """Counts by source and mode.

    A verdict's mode is the one that accepted it, after or else before; else the one that rejected it. A step's are
    those of its changed draws, or of the solution's own verdict where it has no draws.
    """

    verdicts: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    """(source, mode, old status, new status) → verdicts, the unchanged ones too."""
    steps: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    """(source, modes, old label, new label) → steps whose label is another one."""
    labelled: Counter[str] = field(default_factory=Counter)
    """Source → steps."""
    cut_short: int = 0
    """Steps whose drawing stopped at a success that was taken back: too few draws for a label."""

    def add(self, source: str, old: Solution, new: Solution, old_labels: Labels, new_labels: Labels) -> None:
        """Counts a solution that was judged anew."""
        self._verdict(source, old.verdict, new.verdict)
        for index, (before, after) in enumerate(zip(old.steps, new.steps, strict=True)):
            pairs = [(a.verdict, b.verdict) for a, b in zip(before.draws, after.draws, strict=True)]
            for pair in pairs:
                self._verdict(source, *pair)
            self.labelled[source] += 1
            if old_labels[index] != new_labels[index]:
                changed = [pair for pair in pairs or [(old.verdict, new.verdict)] if pair[0].status != pair[1].status]
                modes = "+".join(sorted({_mode(*pair) for pair in changed})) or "-"
                self.steps[source, modes, old_labels[index] or "null", new_labels[index] or "null"] += 1

    def _verdict(self, source: str, old: Verdict, new: Verdict) -> None:
        self.verdicts[source, _mode(old, new), old.status, new.status] += 1

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "verdicts": _rows(self.verdicts, "mode", "verdicts"),
            "steps": sum(self.labelled.values()),
            "flipped_steps": _rows(self.steps, "modes", "steps"),
            "cut_short_steps": self.cut_short,
        }

    def text(self) -> str:
        """What a person reads: a line for every kind of change, and the totals."""
        total = self.verdicts.total()
        changed = Counter({key: n for key, n in self.verdicts.items() if key[2] != key[3]})
        lines = [
            f"judged again: {total:,} verdicts, {changed.total():,} changed; "
            f"{sum(self.labelled.values()):,} steps, {self.steps.total():,} labels flipped"
        ]
        lines += [
            f"  {source}, {mode}: {n:,} verdicts {old} → {new}" for (source, mode, old, new), n in _sorted(changed)
        ]
        lines += [
            f"  {source}, {modes}: {n:,} of {self.labelled[source]:,} steps {old} → {new}"
            for (source, modes, old, new), n in _sorted(self.steps)
        ]
        if self.cut_short:
            lines.append(
                f"  {self.cut_short:,} steps stopped at a success that was taken back, and have too few draws for a "
                "label: top the run up with rollout.strategy=fixed"
            )
        return "\n".join(lines)


def _mode(old: Verdict, new: Verdict) -> str:
    accepted = [verdict.mode for verdict in (new, old) if verdict.status == "correct"]
    return next(filter(None, [*accepted, new.mode, old.mode]), "-")


def _sorted(counts: Counter[tuple[str, str, str, str]]) -> Iterator[tuple[tuple[str, str, str, str], int]]:
    return iter(sorted(counts.items()))


def _rows(counts: Counter[tuple[str, str, str, str]], mode: str, what: str) -> list[dict[str, Any]]:
    return [{"source": key[0], mode: key[1], "old": key[2], "new": key[3], what: n} for key, n in _sorted(counts)]
