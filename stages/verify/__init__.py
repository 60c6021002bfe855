"""Says whether a response's final answer is right: `judge` in this process, `VerifierPool` for hostile input."""

from stages.verify.judge import judge
from stages.verify.pool import VerifierPool

__all__ = ["VerifierPool", "judge"]
