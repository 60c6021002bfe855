"""The old home of `ProcessRewardModel`: the model cards of reward models trained before name it."""

from stages.reward.model import Candidate, ProcessRewardModel

__all__ = ["Candidate", "ProcessRewardModel"]
