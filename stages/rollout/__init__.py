"""Monte Carlo continuations from every step prefix of a solution (arXiv 2503.10291, section 3.1)."""

from stages.rollout.loop import Verify, roll_out
from stages.rollout.strategies import STRATEGIES, Ask, Progress, Strategy

__all__ = ["STRATEGIES", "Ask", "Progress", "Strategy", "Verify", "roll_out"]
