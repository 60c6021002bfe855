"""The plan as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator

from stages.plan.amount import Amount
from stages.plan.cost import Need
from stages.plan.plan import Plan

_SIGNS = {"ok": "ok     ", "wrong": "WRONG  ", "unknown": "unknown"}


def plan_text(plan: Plan) -> str:
    """Tables by source and by strategy, then assumptions and checks."""
    return "\n".join(_lines(plan))


def _lines(plan: Plan) -> Iterator[str]:
    width = max([6, *map(len, plan.sources)])
    yield f"{'source':{width}}  problems  solutions    steps    draws  prompt tokens  generated   images     disk"
    for name, each in [*plan.sources.items(), ("all", plan.total)]:
        yield _source_line(name, each, width)
    total, hours = plan.total, plan.hours[plan.strategy]
    yield ""
    yield f"steps {_range(total.steps)}, draws {_range(total.draws)}, generated tokens {_range(total.generated)}"
    yield f"prompt tokens {_range(total.prompt)}, of which {_range(total.prefill)} are computed with the prefix cache"
    yield f"disk {_range(total.disk)} bytes"
    yield f"speed: {plan.rate}"
    if hours is not None:
        yield f"engine-hours {_range(hours)}, days with {plan.replicas} engines {_range(hours * (1 / 24 / plan.replicas))}"
        if plan.gpu_hour_price is None:
            yield "cost: give --gpu-hour-price"
        else:
            yield f"cost {_range(_cost(hours, plan))}"
    yield ""
    yield "strategy           draws  of fixed  generated  engine-hours        cost"
    fixed = plan.strategies["fixed"]
    for name, each in plan.strategies.items():
        yield _strategy_line(name, each, fixed, plan)
    yield ""
    yield "from:"
    yield from (f"  {note}" for note in plan.notes)
    yield "checks:"
    yield from (f"  {_SIGNS[check.verdict]} {check.text}" for check in plan.checks)


def _source_line(name: str, each: Need, width: int) -> str:
    return (
        f"{name:{width}}  {each.problems:8,}  {each.solutions:9,}  {short(each.steps.middle):>7}  "
        f"{short(each.draws.middle):>7}  {short(each.prompt.middle):>13}  {short(each.generated.middle):>9}  "
        f"{short(each.images.middle):>7}  {short(each.disk.middle):>6}B"
    )


def _strategy_line(name: str, each: Need, fixed: Need, plan: Plan) -> str:
    hours = plan.hours[name]
    share = f"{each.draws.middle / fixed.draws.middle:.1%}" if fixed.draws.middle else "-"
    spent = short(hours.middle) if hours else "-"
    cost = short(_cost(hours, plan).middle) if hours and plan.gpu_hour_price is not None else "-"
    mark = " *" if name == plan.strategy else ""
    return (
        f"{name + mark:17}  {short(each.draws.middle):>6}  {share:>8}  {short(each.generated.middle):>9}  "
        f"{spent:>12}  {cost:>10}"
    )


def _cost(hours: Amount, plan: Plan) -> Amount:
    return hours * (plan.gpus_per_engine * (plan.gpu_hour_price or 0))


def _range(amount: Amount) -> str:
    if amount.low == amount.high:
        return short(amount.middle)
    return f"{short(amount.middle)} ({short(amount.low)} to {short(amount.high)})"


def short(value: float) -> str:
    """Three digits and a unit: 56.6K, 3.17M."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "K")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"
