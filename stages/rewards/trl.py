"""TRL 1.16: a reward function for `GRPOTrainer(reward_funcs=…)` and its like.

    from stages.rewards.trl import TrlReward
    trainer = GRPOTrainer(model, reward_funcs=TrlReward(Rewarder(RewardClient("http://127.0.0.1:8000"))), …)

TRL hands every column of the dataset to it, `images` and the gold among them. Where a response has no score it answers
None, which TRL takes for "does not apply".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stages.rewards.columns import responses
from stages.rewards.rewarder import Rewarder


class TrlReward:
    """See the module. Named after its scalar in TRL's logs; it logs the share of responses without a score, too."""

    def __init__(self, rewarder: Rewarder) -> None:
        self._rewarder = rewarder
        self.__name__ = f"visualprm_{rewarder.reward}"

    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        found = self._rewarder(responses(prompts, completions, columns))
        if (log := columns.get("log_metric")) is not None and found:
            log("visualprm_unscored", sum(each.value is None for each in found) / len(found))
        return [each.value for each in found]
