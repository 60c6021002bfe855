"""Which continuations to draw next, given those drawn so far: pure functions of the verdicts.

A strategy is asked at the start and after every answer; what it asks for is drawn at once, beside whatever
is still under way. It ends when it asks for nothing and nothing is under way.

A new strategy is a function in a file of this folder, and an entry of `STRATEGIES`: settings take its name, planning
and comparing take it up, and publishing, exporting and training know from its entry what its labels are worth.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.config import RolloutConfig
from pipeline.records import StepOrigin
from stages.rollout.strategies.first_success import first_success
from stages.rollout.strategies.fixed import fixed, stop_after_zero
from stages.rollout.strategies.sequential_ci import sequential_ci
from stages.rollout.strategies.view import Ask, Asks, Progress, Strategy, View
from stages.rollout.strategies.wrong_only import binary_search, right_to_left

__all__ = ["STRATEGIES", "Ask", "Asks", "Progress", "Strategy", "View", "open_steps", "origins", "why_biased"]

_ROUNDS = {"rounds": (4, 4, 8)}
STRATEGIES: dict[str, Strategy] = {
    "fixed": Strategy(asks=fixed, stops_at=None, implies_labels=False),
    "stop_after_zero": Strategy(asks=stop_after_zero, stops_at="zero", implies_labels=False),
    "first_success": Strategy(
        asks=first_success,
        stops_at="success",
        implies_labels=False,
        parameters=("rounds",),
        trials=(_ROUNDS, {"rounds": (1, 1, 2, 4, 8)}),
    ),
    "sequential_ci": Strategy(
        asks=sequential_ci,
        stops_at="precision",
        implies_labels=False,
        parameters=("ci_round", "ci_half_width"),
        trials=({"ci_half_width": 0.15}, {"ci_half_width": 0.2}),
    ),
    "right_to_left": Strategy(
        asks=right_to_left,
        stops_at="success",
        implies_labels=True,
        parameters=("rounds", "audit_fraction"),
        trials=(_ROUNDS,),
    ),
    "binary_search": Strategy(
        asks=binary_search,
        stops_at="success",
        implies_labels=True,
        parameters=("rounds", "audit_fraction"),
        trials=(_ROUNDS,),
    ),
}
"""By the name that `rollout.strategy` has."""


def why_biased(name: str) -> str | None:
    """Why the shares k / n of this strategy's draws can't be trusted, after its name; null where they can.

    A dataset may have been drawn by a strategy that is not here: then nothing can be said for its shares.
    """
    if name not in STRATEGIES:
        return "which this version does not know, and so can't say whether scores are biased"
    return "which stops at a success and so biases scores" if STRATEGIES[name].stops_at_success else None


def open_steps(context: Sequence[bool], config: RolloutConfig) -> list[int]:
    """The steps after which continuations may be drawn: not those that are `context`, and not the end of the response.

    A strategy numbers these alone.
    """
    last = len(context) - (config.complete_prefix == "own_answer")
    return [step for step in range(last) if not context[step]]


def origins(
    steps: Sequence[Progress], correct: bool, config: RolloutConfig, context: Sequence[bool] | None = None
) -> list[StepOrigin]:
    """Where each step's label comes from once a strategy is content.

    Args:
        steps: every step of the solution, the last one included.
        correct: the solution's own verdict.
        context: of every step, whether it is none that is measured; by default all are.
    """
    found: list[StepOrigin] = []
    success_after = correct
    outside = list(context) if context is not None else [False] * len(steps)
    for step, is_context in zip(reversed(steps), reversed(outside), strict=True):
        if is_context:
            found.append("context")
            continue
        implied = success_after and STRATEGIES[config.strategy].implies_labels
        found.append("measured" if step.drawn else "implied" if implied else "not_sampled")
        success_after = success_after or step.correct > 0
    found.reverse()
    if config.complete_prefix == "own_answer" and not outside[-1]:
        found[-1] = "own_answer"
    return found
