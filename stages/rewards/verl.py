"""verl 0.9: `custom_reward_function.path=…/stages/rewards/verl.py`, `name=compute_score`.

The address and the scalar come from the environment (`Rewarder.from_environment`). A row's question and images are
taken from its `extra_info` (`question`, `images`), which is all that verl hands over. Step rewards are laid on the
response's tokens by `step_rewards`, for a reward manager's `reward_tensor`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from pipeline.errors import UserError
from stages.reward.tokens import on_tokens
from stages.rewards.columns import responses
from stages.rewards.rewarder import Reward, Rewarder

UNSCORED = 0.0
"""The reward of a response without a score: verl wants a number. `unscored` is 1 where it stands."""


@lru_cache(maxsize=1)
def rewarder() -> Rewarder:
    return Rewarder.from_environment()


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    **_: Any,
) -> dict[str, float]:
    """`score`, and for the logs `unscored`, `num_steps` and `min_step`.

    Raises:
        UserError: `extra_info` has no `question`, or the service can't be reached.
    """
    reward = reward_of(solution_str, ground_truth, extra_info)
    steps = reward.scored.judged if reward.scored else []
    return {
        "score": UNSCORED if reward.value is None else reward.value,
        "unscored": float(reward.value is None),
        "num_steps": float(len(steps)),
        "min_step": min(steps, default=UNSCORED),
    }


def reward_of(solution_str: str, ground_truth: Any, extra_info: Mapping[str, Any] | None) -> Reward:
    """The whole reward of one response, with its steps."""
    row = dict(extra_info or {})
    if not row.get("question"):
        raise UserError(
            "extra_info: has no `question`: write it there when the data set is made, and `images` beside it"
        )
    columns = {
        "images": [row.get("images") if row.get("images") is not None else row.get("image")],
        "question": [row["question"]],
        "answer": [ground_truth],
    }
    (found,) = rewarder()(responses([row["question"]], [solution_str], columns))
    return found


def step_rewards(reward: Reward, ends: Sequence[int]) -> list[float]:
    """A number for each token of the response: a step's score where it ends, else 0.

    Args:
        ends: `stages.reward.tokens.token_ends(tokenizer, response_ids)`, of the valid tokens.
    """
    if reward.scored is None:
        return [0.0] * len(ends)
    return on_tokens([score or 0.0 for score in reward.scored.step_scores], reward.scored.spans, ends)
