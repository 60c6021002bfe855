"""ms-swift 4: a reward class for its registry of outcome rewards, in a file for `--external_plugins`.

    from swift.rewards import orms
    from stages.rewards.swift import SwiftReward
    orms["visualprm"] = SwiftReward          # then: --reward_funcs visualprm

The address and the scalar come from the environment (`Rewarder.from_environment`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stages.rewards.columns import responses
from stages.rewards.rewarder import Rewarder


class SwiftReward:
    """See the module. ms-swift makes it with its arguments and calls it with the completions and the row's columns."""

    def __init__(self, args: Any = None, rewarder: Rewarder | None = None, **_: Any) -> None:
        self.args = args
        self._rewarder = rewarder or Rewarder.from_environment()

    def __call__(self, completions: Sequence[Any], **columns: Any) -> list[float | None]:
        """None where a response has no score: ms-swift leaves such rewards out."""
        # A row's conversation without the completion, which is its last turn.
        messages = columns.get("messages") or [[{"role": "user", "content": ""}] for _ in completions]
        prompts = [[turn for turn in each if turn.get("role") != "assistant"] for each in messages]
        return [each.value for each in self._rewarder(responses(prompts, completions, columns))]
