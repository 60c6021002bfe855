"""Strategies whose number of draws a prefix is known beforehand: k / n is unbiased."""

from __future__ import annotations

from pipeline.config import RolloutConfig
from stages.rollout.strategies.view import Ask, View


def fixed(view: View, config: RolloutConfig) -> list[Ask]:
    """`num_draws` after every step, all at once: the published recipe."""
    missing = [config.num_draws - prefix.drawn - prefix.pending for prefix in view.prefixes]
    return [Ask(step, n) for step, n in enumerate(missing) if n > 0]


def stop_after_zero(view: View, config: RolloutConfig) -> list[Ask]:
    """Step by step, and nothing after the first step without a success: the reference's `--early-stop`."""
    for step, prefix in enumerate(view.prefixes):
        missing = config.num_draws - prefix.drawn - prefix.pending
        if missing > 0:
            return [Ask(step, missing)]
        if prefix.pending or not prefix.correct:
            return []
    return []
