"""What is counted while samples are made: it becomes `facts.json`, and what a training is told of its data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import RowError
from stages.train import targets
from stages.train.samples import HELD_OUT, TRAIN, UNMEASURED, Sample


class Counts:
    """Rows that were refused, samples that were made of the others, and those that were written.

    Args:
        labels: the names of the kind's labels.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self.left_out: Counter[str] = Counter()
        self.parts = {part: Counter[str]() for part in (TRAIN, HELD_OUT)}
        self._examples: dict[str, str] = {}
        self._labels = labels
        self._classes = [0] * len(labels)
        self._weights = [0.0] * len(labels)
        self._slots = 0
        self._systems: Counter[str | None] = Counter()

    def refused(self, row_id: str, why: RowError) -> None:
        self.left_out[why.reason] += 1
        self._examples.setdefault(why.reason, f"{row_id}: {why.detail}")

    def made(self, part: str, sample: Sample, dropped: int, system: str | None) -> None:
        """A sample of a row, `dropped` of whose steps didn't fit, with the system turn that it was written with."""
        self.left_out["steps_too_long"] += dropped
        self.parts[part].update(samples=1, steps=len(sample.slots), tokens=sample.length)
        if part == TRAIN:
            self._systems[system] += 1
            for label, weight in zip(sample.labels, sample.weights, strict=True):
                if label != UNMEASURED:
                    self._classes[label] += 1
                    self._weights[label] += weight

    def written(self, part: str, sample: Sample) -> None:
        """A sample of one solution or, for training, of several that are alike."""
        self.parts[part]["distinct"] += 1
        if part == TRAIN:
            self._slots += sum(label != UNMEASURED for label in sample.labels)

    @property
    def reasons(self) -> str:
        """Why rows were refused, each reason with an example."""
        return "; ".join(f"{reason} ({example})" for reason, example in self._examples.items())

    def facts(self, class_weights: str | Mapping[str, float]) -> dict[str, Any]:
        """Everything, with what `loss.class_weights` comes to; of at least one training sample."""
        weights = targets.class_weights(self._classes, class_weights, self._labels)
        total = sum(each * share for each, share in zip(weights, self._weights, strict=True))
        return {
            "counts": self.parts,
            "left_out": +self.left_out,
            "examples": self._examples,
            "labels": dict(zip(self._labels, self._classes, strict=True)),
            "class_weights": weights,
            "scale": self._slots / total,
            "system": self._systems.most_common(1)[0][0],
            "system_turns": [count for _, count in self._systems.most_common()],
        }
