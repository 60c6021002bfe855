"""What a strategy sees and what it says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.config import RolloutConfig


@dataclass(frozen=True, slots=True)
class Ask:
    """Draw `n` more continuations after step `step` (0-based)."""

    step: int
    n: int


@dataclass(frozen=True, slots=True)
class Progress:
    """One step prefix: its draws, how many of them were correct, and how many are under way."""

    drawn: int = 0
    correct: int = 0
    pending: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """A solution as a strategy sees it.

    `correct` is the solution's own verdict. `prefixes` are those that may be drawn from, the shortest first:
    without the complete one where `complete_prefix` is `own_answer`.
    """

    solution_id: str
    correct: bool
    prefixes: Sequence[Progress]


Strategy = Callable[[View, RolloutConfig], list[Ask]]
"""Which draws to start now; called at the start and after every answer, and pure."""
