"""The plan as a person reads it: first what stands in the way, then what it costs, then where the numbers come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pipeline.markdown import counted, markdown_table
from stages.plan.amount import Amount
from stages.plan.cost import Need
from stages.plan.nodes import PlannedNode
from stages.plan.plan import Plan
from stages.plan.units import money, short, size, span

_SIGNS = {"ok": "ok     ", "wrong": "WRONG  ", "unknown": "unknown"}


def plan_text(plan: Plan) -> str:
    """What is wrong, tables by source and by strategy, assumptions and the other checks."""
    return "\n".join(_lines(plan))


def _lines(plan: Plan) -> Iterator[str]:
    wrong = [check for check in plan.checks if check.verdict == "wrong"]
    if wrong:
        yield "in the way:"
        yield from (f"  {_SIGNS['wrong']} {check.text}" for check in wrong)
        yield ""
    if plan.sources:
        yield from _needs(plan)
    else:
        yield "no source can be planned: see above"
    if plan.nodes:
        yield ""
        yield markdown_table(_NODES, [_node_row(node) for node in plan.nodes])
    yield ""
    yield "from:"
    yield from (f"  {note}" for note in plan.notes)
    yield "checks:"
    yield from (f"  {_SIGNS[check.verdict]} {check.text}" for check in plan.checks if check.verdict != "wrong")


_NODES = ("node", "CPUs", "GPUs", "device", "Python", "packages", "run directory", "model")


def _node_row(node: PlannedNode) -> tuple[str, ...]:
    packages = " ".join(f"{name}={version or 'none'}" for name, version in node.packages.items())
    numbers = (f"{node.cpus:g}", f"{node.gpus:g}")
    return node.node, *numbers, node.device, node.python, packages, node.run_directory, node.model


def _needs(plan: Plan) -> Iterator[str]:
    width = max([6, *map(len, plan.sources)])
    yield f"{'source':{width}}  problems  solutions    steps    draws  prompt tokens  generated   images      disk"
    for name, each in [*plan.sources.items(), ("all", plan.total)]:
        yield _source_line(name, each, width)
    total, hours = plan.total, plan.hours[plan.strategy]
    yield ""
    yield f"{_range(total.steps)} steps, {_range(total.draws)} draws, {_range(total.generated)} generated tokens"
    cached = f"of which {_range(total.prefill)} are computed with the prefix cache"
    yield f"{_range(total.prompt)} prompt tokens, {cached if plan.reuses else 'all of them computed: no prefix is reused'}"
    yield f"disk: {_range(total.disk, size)}"
    yield f"speed: {plan.rate}"
    if hours is not None:
        engines = counted(plan.replicas, "engine")
        yield f"{_range(hours)} engine-hours: {_range(hours * (1 / plan.replicas), span)} with {engines}"
        yield f"cost: {_told_cost(hours, plan)}"
    yield ""
    yield "strategy           draws  of fixed  generated  engine-hours        cost"
    fixed = plan.strategies["fixed"]
    for name, each in plan.strategies.items():
        yield _strategy_line(name, each, fixed, plan)


def _source_line(name: str, each: Need, width: int) -> str:
    return (
        f"{name:{width}}  {each.problems:8,}  {each.solutions:9,}  {short(each.steps.middle):>7}  "
        f"{short(each.draws.middle):>7}  {short(each.prompt.middle):>13}  {short(each.generated.middle):>9}  "
        f"{short(each.images.middle):>7}  {size(each.disk.middle):>8}"
    )


def _strategy_line(name: str, each: Need, fixed: Need, plan: Plan) -> str:
    hours = plan.hours[name]
    share = f"{each.draws.middle / fixed.draws.middle:.1%}" if fixed.draws.middle else "-"
    spent = short(hours.middle) if hours else "-"
    cost = money(_cost(hours, plan).middle, plan.currency) if hours and plan.gpu_hour_price is not None else "-"
    mark = " *" if name == plan.strategy else ""
    return (
        f"{name + mark:17}  {short(each.draws.middle):>6}  {share:>8}  {short(each.generated.middle):>9}  "
        f"{spent:>12}  {cost:>10}"
    )


def _told_cost(hours: Amount, plan: Plan) -> str:
    if plan.gpu_hour_price is None:
        return "give --gpu-hour-price, such as 2.50 or '2.50 EUR'"
    gpus = counted(plan.gpus_per_engine, "GPU")
    told = _range(_cost(hours, plan), lambda value: money(value, plan.currency))
    unit = "" if plan.currency else " in the currency of --gpu-hour-price"
    return f"{told}{unit}, for {gpus} of an engine at {money(plan.gpu_hour_price, plan.currency)} an hour"


def _cost(hours: Amount, plan: Plan) -> Amount:
    return hours * (plan.gpus_per_engine * (plan.gpu_hour_price or 0))


def _range(amount: Amount, written: Callable[[float], str] = short) -> str:
    if amount.low == amount.high:
        return written(amount.middle)
    return f"{written(amount.middle)} ({written(amount.low)} to {written(amount.high)})"
