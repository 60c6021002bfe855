"""Monte Carlo continuations from every step prefix of a solution (arXiv 2503.10291, section 3.1)."""

from stages.rollout.bias import largest_bias
from stages.rollout.loop import Verify, roll_out
from stages.rollout.replay import replay
from stages.rollout.strategies import STRATEGIES, Ask, Asks, Progress, Strategy, View, open_steps, origins

__all__ = [
    "STRATEGIES",
    "Ask",
    "Asks",
    "Progress",
    "Strategy",
    "Verify",
    "View",
    "largest_bias",
    "open_steps",
    "origins",
    "replay",
    "roll_out",
]
