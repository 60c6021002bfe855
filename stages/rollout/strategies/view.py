"""What a strategy sees and what it says, and what is to be known of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

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


Asks = Callable[[View, RolloutConfig], list[Ask]]
"""Which draws to start now; called at the start and after every answer, and pure."""
OWN = frozenset(RolloutConfig.model_fields) - {"strategy", "num_draws", "complete_prefix", "max_truncated"}
"""The settings that are strategies' own; the others hold for all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """All that the rest of the code knows of a strategy.

    `parameters` are the settings of `rollout` that it heeds beside `num_draws`. `stops_at` says what ends the draws
    before `num_draws`: of a prefix its first `success`, or its `precision` (the share k / n is known well enough); of
    a solution the first step with `zero` successes. After a stop at a success k / n is biased, and only whether it is
    above 0 can be trusted. One at a precision biases it too, but within the width that was asked for; the card says
    how far. `implies_labels`: it leaves a step undrawn because a later success speaks for it. `trials` are the
    parameters with which `visualprm frontier` compares it, each in place of the run's own.

    Raises:
        ValueError: a parameter is not a setting of strategies.
    """

    asks: Asks
    stops_at: Literal["success", "precision", "zero"] | None
    implies_labels: bool
    parameters: tuple[str, ...] = ()
    trials: tuple[Mapping[str, Any], ...] = ({},)

    def __post_init__(self) -> None:
        named = {*self.parameters, *(key for trial in self.trials for key in trial)}
        if wrong := sorted(named - OWN):
            raise ValueError(f"{wrong[0]!r} is not a setting of strategies: make it a field of RolloutConfig")

    @property
    def stops_at_success(self) -> bool:
        return self.stops_at == "success"
