"""Rounds of draws until one succeeds."""

from __future__ import annotations

from pipeline.config import RolloutConfig
from stages.rollout.strategies.view import Ask, Progress, View


def first_success(view: View, config: RolloutConfig) -> list[Ask]:
    """Every prefix in rounds, until one draw succeeds or all `num_draws` are made.

    At threshold 0 the label is that of `fixed`, draw for draw; k / n is biased, for a success ends the count.
    """
    missing = [until_success(prefix, config) for prefix in view.prefixes]
    return [Ask(step, n) for step, n in enumerate(missing) if n]


def until_success(prefix: Progress, config: RolloutConfig) -> int:
    """The draws to start now: what its round lacks, or 0 (a success, all drawn, or a round under way)."""
    if prefix.pending or prefix.correct:
        return 0
    return to_round_end(prefix.drawn, config.rounds, config.num_draws)


def to_round_end(drawn: int, rounds: tuple[int, ...], limit: int) -> int:
    """The draws from `drawn` to the end of the round it lies in.

    The last of `rounds` repeats; `limit` ends them all.
    """
    end = 0
    for size in rounds:
        end += size
        if end > drawn:
            break
    else:
        end += rounds[-1] * ((drawn - end) // rounds[-1] + 1)
    return max(0, min(end, limit) - drawn)
