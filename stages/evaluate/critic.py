"""What a critic is: anything that says for every step of a solution how likely it is to be right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Item:
    """A solution to judge: the question, its encoded images, and the steps as they were written, never joined."""

    question: str
    images: tuple[bytes, ...]
    steps: tuple[str, ...]


Scores = list[float | None]
"""One number a step, higher for steps that are more likely right; None where the critic gave none."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a critic says of one solution. `failures` says why steps have no score: reason → steps."""

    scores: Scores
    failures: Counter[str] = field(default_factory=Counter)


class Critic(Protocol):
    """A process reward model, a prompted model, or anything else."""

    middle: float
    """Halfway between the scores of a step that is surely right and of one that is surely wrong."""

    def score_many(self, items: Sequence[Item]) -> list[Judged]:
        """What it says of every item, in their order.

        Raises:
            EngineDead: the model is gone.
        """

    def close(self) -> None:
        """Frees the model."""
