"""One reward of a response from the scores of its steps, as trainers of policies want it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, get_args

from stages.reward.aggregate import AGGREGATORS

Scalar = Literal["mean", "min", "last", "product", "ps_grpo"]
SCALARS: tuple[Scalar, ...] = get_args(Scalar)
DROP = 0.3
"""The relative drop between neighbouring steps from which on PS-GRPO takes a part of the reward away: ρ of equations 5
and 6 of URSA (arXiv 2501.04686), 0.3 in its section 5.1 and best in its table 4."""
KEPT = 0.5
"""What it leaves of it: 1 − γ, with γ = 0.5 in the same places."""


def largest_drop(scores: Sequence[float]) -> float:
    """The largest relative drop from a step to the next one, of scores that are probabilities; 0 without one."""
    drops = [(before - after) / before for before, after in pairwise(scores) if before > 0]
    return max([0.0, *drops])


def ps_grpo(scores: Sequence[float], correct: bool) -> float:
    """The outcome's reward, halved where the process drops (URSA, arXiv 2501.04686, equation 6): 1, 0.5 or 0."""
    return 0.0 if not correct else KEPT if largest_drop(scores) >= DROP else 1.0


def scalar(name: Scalar, scores: Sequence[float], correct: bool | None = None) -> float:
    """The reward of at least one step.

    Args:
        correct: whether the response's answer is right; `ps_grpo` needs it.

    Raises:
        ValueError: it is not given.
    """
    if name != "ps_grpo":
        return float(AGGREGATORS[name](scores))
    if correct is None:
        raise ValueError("ps_grpo needs the answer's verdict")
    return ps_grpo(scores, correct)
