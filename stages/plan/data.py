"""The plan as a program reads it: the object of `visualprm plan --json`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from stages.plan.amount import Amount
from stages.plan.cost import Need
from stages.plan.plan import Plan


def plan_data(plan: Plan) -> dict[str, Any]:
    """Sums, sources, strategies and checks; an amount is `{"low", "middle", "high"}`. docs/command_line.md has the keys."""
    return {
        "strategy": plan.strategy,
        "total": _with_hours(plan.total, plan.hours[plan.strategy], plan),
        "sources": {name: asdict(each) for name, each in plan.sources.items()},
        "strategies": {name: _with_hours(each, plan.hours[name], plan) for name, each in plan.strategies.items()},
        "replicas": plan.replicas,
        "gpus_per_engine": plan.gpus_per_engine,
        "gpu_hour_price": plan.gpu_hour_price,
        "currency": plan.currency,
        "rate": plan.rate,
        "notes": plan.notes,
        "checks": [asdict(check) for check in plan.checks],
        "nodes": [asdict(node) for node in plan.nodes],
    }


def _with_hours(need: Need, hours: Amount | None, plan: Plan) -> dict[str, Any]:
    """Engine-hours and cost are null where the speed or the price is not known."""
    cost = None
    if hours is not None and plan.gpu_hour_price is not None:
        cost = asdict(hours * (plan.gpus_per_engine * plan.gpu_hour_price))
    return {**asdict(need), "engine_hours": asdict(hours) if hours else None, "cost": cost}
