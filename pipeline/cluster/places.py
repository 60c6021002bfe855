"""Places for a run's processes: what Ray can give at once, what is waited for, and what can never be had."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence

from pipeline.errors import StartError, UserError
from pipeline.terminal.speak import say

Bundle = Mapping[str, float]
"""What one process takes, by Ray's names: {"GPU": 1, "CPU": 1}."""
QUIET_S, TOLD_EVERY_S = 5.0, 60.0
"""Seconds before a wait is told, and between two lines about it."""


def wait_for_places(what: str, bundles: Sequence[Bundle], address: str | None, wait_s: float | None) -> None:
    """Returns when Ray has a place for all of `bundles` at once; a cluster that can grow is asked to.

    Args:
        what: for the lines: "2 workers".
        address: of the cluster; None on this machine alone, which does not grow.
        wait_s: seconds to wait; None waits for ever.

    Raises:
        UserError: this machine does not have so much.
        StartError: the cluster had no place in time.
    """
    import ray
    from ray.util import placement_group, remove_placement_group

    wanted = [{name: amount for name, amount in bundle.items() if amount} for bundle in bundles]
    if not any(wanted):
        return
    total = _sum(wanted)
    if address is None:
        here = {"CPU": 0.0, "GPU": 0.0, **ray.cluster_resources()}
        if any(here[name] < amount for name, amount in total.items()):
            raise UserError(
                f"{what} take {amounts(total)}, and this machine has {amounts(here)}: ask for less, or name a cluster in "
                "ray.address"
            )
        return
    began, due = time.monotonic(), QUIET_S
    group = placement_group([bundle for bundle in wanted if bundle], strategy="PACK")
    try:
        while not group.wait(timeout_seconds=_until(began, due if wait_s is None else min(due, wait_s))):
            age = time.monotonic() - began
            has = what_there_is(address)
            if wait_s is not None and age >= wait_s:
                raise StartError(
                    f"in {wait_s:g} s there was no place for {what} ({amounts(total)}): {has}: add nodes, ask for less, or raise "
                    "ray.wait_s"
                )
            if age >= due:
                say(f"waiting for a place for {what} ({amounts(total)}) since {age:.0f} s: {has}")
                due = age + TOLD_EVERY_S
    finally:
        remove_placement_group(group)


def what_there_is(address: str) -> str:
    """`ray.address=auto has 8 CPUs, 2 GPUs (free: 8 CPUs, 1 GPU)`, of the cluster that this process has joined."""
    import ray

    return f"ray.address={address} has {amounts(ray.cluster_resources())} (free: {amounts(ray.available_resources())})"


def _until(began: float, age_s: float) -> float:
    """Seconds until `age_s` seconds have passed since `began`; Ray may wait a little less than it is told."""
    return max(0.1, began + age_s - time.monotonic())


def _sum(bundles: Sequence[Bundle]) -> dict[str, float]:
    total: Counter[str] = Counter()
    for bundle in bundles:
        total.update(bundle)
    return dict(total)


def amounts(resources: Mapping[str, float]) -> str:
    """`4 CPUs, 2 GPUs`, of the two that people ask for."""
    amounts = [(name, resources.get(name)) for name in ("CPU", "GPU")]
    return (
        ", ".join(f"{amount:g} {name}{'' if amount == 1 else 's'}" for name, amount in amounts if amount is not None)
        or "none"
    )
