"""Process supervision for multimodal reasoning: the public names, with examples in docs/python_api.md.

Everything is loaded when it is first used, so that importing this takes no time. Names that are not here may move.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.config import RunConfig, load_config
    from pipeline.errors import EngineDead, RowError, UserError
    from pipeline.records import Verdict
    from stages.build.run import run_dataset
    from stages.publish.reading import read_draws
    from stages.publish.reading import read_rows as read_dataset
    from stages.reward.client import AsyncRewardClient, RewardClient
    from stages.reward.model import Candidate, ProcessRewardModel
    from stages.reward.server.wire import Scored
    from stages.rewards.rewarder import Rewarder
    from stages.split import split
    from stages.train.config import TrainConfig, load_train_config
    from stages.train.run import train
    from stages.verify import VerifierPool, judge

    __version__: str

__all__ = [
    "AsyncRewardClient", "Candidate", "EngineDead", "ProcessRewardModel", "RewardClient", "Rewarder", "RowError",
    "RunConfig", "Scored", "TrainConfig", "UserError", "Verdict", "VerifierPool", "__version__", "judge", "load_config",
    "load_train_config", "read_dataset", "read_draws", "run_dataset", "split", "train",
]  # fmt: skip

_HOMES = {
    "AsyncRewardClient": "stages.reward.client:AsyncRewardClient",
    "Candidate": "stages.reward.model:Candidate",
    "EngineDead": "pipeline.errors:EngineDead",
    "ProcessRewardModel": "stages.reward.model:ProcessRewardModel",
    "RewardClient": "stages.reward.client:RewardClient",
    "Rewarder": "stages.rewards.rewarder:Rewarder",
    "RowError": "pipeline.errors:RowError",
    "RunConfig": "pipeline.config:RunConfig",
    "Scored": "stages.reward.server.wire:Scored",
    "TrainConfig": "stages.train.config:TrainConfig",
    "UserError": "pipeline.errors:UserError",
    "Verdict": "pipeline.records:Verdict",
    "VerifierPool": "stages.verify:VerifierPool",
    "judge": "stages.verify:judge",
    "load_config": "pipeline.config:load_config",
    "load_train_config": "stages.train.config:load_train_config",
    "read_dataset": "stages.publish.reading:read_rows",
    "read_draws": "stages.publish.reading:read_draws",
    "run_dataset": "stages.build.run:run_dataset",
    "split": "stages.split:split",
    "train": "stages.train.run:train",
}
"""Where each public name lives."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from pipeline.version import version

        return version()
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    found = getattr(importlib.import_module(module), attribute)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
