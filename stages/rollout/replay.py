"""What a strategy would have drawn, from draws that are there already: no engine."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from pipeline.config import RolloutConfig
from stages.rollout.strategies import STRATEGIES, Progress, View


def replay(solution_id: str, correct: bool, hits: Sequence[Sequence[bool]], config: RolloutConfig) -> list[Progress]:
    """The draws that the strategy makes of every prefix it may draw from, as `roll_out` would have made them.

    Answers come in whole rounds here; `roll_out` ends with the same draws in whatever order they arrive.

    Args:
        hits: for each of these prefixes, whether draw j was correct; at least `num_draws` of them.
    """
    successes = [list(accumulate(prefix, initial=0)) for prefix in hits]
    drawn = [0] * len(hits)

    def progress() -> list[Progress]:
        return [Progress(n, counts[n]) for n, counts in zip(drawn, successes, strict=True)]

    while asks := STRATEGIES[config.strategy].asks(View(solution_id, correct, progress()), config):
        for ask in asks:
            drawn[ask.step] += ask.n
    return progress()
