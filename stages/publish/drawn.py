"""With which strategies a published dataset was drawn, as its `stats.json` tells, and what follows for its scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stages.rollout.strategies import STRATEGIES, why_biased


def strategies(figures: Mapping[str, Any]) -> set[str]:
    """The strategies in a dataset's `stats.json`; an imported dataset may name none."""
    # A strategy stands there with its parameters: `first_success num_draws=16 rounds=4,4,8`.
    return {policy["strategy"].split(" ", 1)[0] for policy in figures.get("policies", ())}


def biased_by(figures: Mapping[str, Any]) -> str | None:
    """The first strategy whose shares k / n can't be trusted, and why, as `the strategy x, which …`; null without one."""
    reasons = ((name, why_biased(name)) for name in sorted(strategies(figures)))
    return next((f"the strategy {name}, {why}" for name, why in reasons if why), None)


def stopped_at_zeros(figures: Mapping[str, Any]) -> bool:
    """Whether no solution was drawn from beyond its first step without a success."""
    names = strategies(figures)
    return bool(names) and all(name in STRATEGIES and STRATEGIES[name].stops_at == "zero" for name in names)
