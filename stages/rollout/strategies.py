"""Which continuations to draw next, given those drawn so far: pure functions of the verdicts.

A strategy is asked at the start and after every answer; what it asks for is drawn at once, beside whatever
is still under way. It ends when it asks for nothing and nothing is under way.
"""

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


Strategy = Callable[[Sequence[Progress], RolloutConfig], list[Ask]]
"""`(progress of every prefix that may be drawn from, config) -> asks`."""


def fixed(prefixes: Sequence[Progress], config: RolloutConfig) -> list[Ask]:
    """`num_draws` after every step, all at once: the published recipe."""
    missing = [config.num_draws - prefix.drawn - prefix.pending for prefix in prefixes]
    return [Ask(step, n) for step, n in enumerate(missing) if n > 0]


def stop_after_zero(prefixes: Sequence[Progress], config: RolloutConfig) -> list[Ask]:
    """Step by step, and nothing after the first step without a success: the reference's `--early-stop`."""
    for step, prefix in enumerate(prefixes):
        missing = config.num_draws - prefix.drawn - prefix.pending
        if missing > 0:
            return [Ask(step, missing)]
        if prefix.pending or not prefix.correct:
            return []
    return []


STRATEGIES: dict[str, Strategy] = {"fixed": fixed, "stop_after_zero": stop_after_zero}
