"""Which continuations to draw next, given those drawn so far: pure functions of the verdicts.

A strategy is asked at the start and after every answer; what it asks for is drawn at once, beside whatever
is still under way. It ends when it asks for nothing and nothing is under way.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.config import RolloutConfig
from pipeline.records import StepOrigin
from stages.rollout.strategies.first_success import first_success
from stages.rollout.strategies.fixed import fixed, stop_after_zero
from stages.rollout.strategies.sequential_ci import sequential_ci
from stages.rollout.strategies.view import Ask, Progress, Strategy, View
from stages.rollout.strategies.wrong_only import binary_search, right_to_left

__all__ = ["STRATEGIES", "Ask", "Progress", "Strategy", "View", "origins"]

STRATEGIES: dict[str, Strategy] = {
    "fixed": fixed,
    "stop_after_zero": stop_after_zero,
    "first_success": first_success,
    "sequential_ci": sequential_ci,
    "right_to_left": right_to_left,
    "binary_search": binary_search,
}
IMPLYING = frozenset({"right_to_left", "binary_search"})
"""Strategies that leave a step undrawn because a later success speaks for it."""


def origins(steps: Sequence[Progress], correct: bool, config: RolloutConfig) -> list[StepOrigin]:
    """Where each step's label comes from once a strategy is content.

    Args:
        steps: every step of the solution, the last one included.
        correct: the solution's own verdict.
    """
    found: list[StepOrigin] = []
    success_after = correct
    for step in reversed(steps):
        implied = success_after and config.strategy in IMPLYING
        found.append("measured" if step.drawn else "implied" if implied else "not_sampled")
        success_after = success_after or step.correct > 0
    found.reverse()
    if config.complete_prefix == "own_answer":
        found[-1] = "own_answer"
    return found
