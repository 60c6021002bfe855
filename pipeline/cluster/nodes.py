"""The nodes of the cluster that this process has joined, and work that one of them does itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

ANSWER_S = 60.0
"""For a node to start a process and answer."""
RESERVED_S = 20.0
"""For nodes' resources to be taken away from others: an engine that must not start there holds its own for ten seconds."""
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Node:
    """One that lives."""

    id: str
    host: str
    ip: str
    resources: Mapping[str, float] = field(compare=False)
    """What it has in all, by Ray's names."""

    @property
    def name(self) -> str:
        """As people know it; of several on one machine each by its address."""
        return f"{self.host} ({self.ip})"


def living() -> list[Node]:
    """Those that can be given work, in the order of their names."""
    import ray

    found = [
        Node(row["NodeID"], row["NodeManagerHostname"], row["NodeManagerAddress"], row["Resources"])
        for row in ray.nodes()
        if row["Alive"]
    ]
    return sorted(found, key=lambda node: (node.host, node.ip, node.id))


def works(node: Node) -> bool:
    """Whether Ray gives it tasks or engines; a head is often told to have none."""
    return bool(node.resources.get("CPU") or node.resources.get("GPU"))


def on_nodes(ids: Sequence[str], work: Callable[..., Found], *arguments: Any) -> list[Found | None]:
    """What a function returns on each of these nodes; None for one that does not answer.

    Raises:
        Exception: what the function raised.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    task = ray.remote(work)
    asked = [
        task.options(
            num_cpus=0, max_retries=0, scheduling_strategy=NodeAffinitySchedulingStrategy(each, soft=False)
        ).remote(*arguments)
        for each in ids
    ]
    ready, _ = ray.wait(asked, num_returns=len(asked), timeout=ANSWER_S) if asked else ([], [])
    answered = set(ready)
    return [_answer(ref) if ref in answered else None for ref in asked]


def on_node(node: str, work: Callable[..., Found], *arguments: Any) -> Found | None:
    """`on_nodes` for one."""
    return on_nodes([node], work, *arguments)[0]


def _answer(ref: Any) -> Any:
    import ray

    try:
        return ray.get(ref)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except ray.exceptions.RayError:
        return None


def reserve(nodes: Sequence[Node]) -> None:
    """Takes all that these nodes have, and leaves it unused while this process is in the cluster.

    Ray has no other way to keep a node from work that waits for a place already. What works there now ends first; that is
    waited for, within bounds.
    """
    from ray.util import placement_group

    held = {node: {name: node.resources[name] for name in ("CPU", "GPU") if node.resources.get(name)} for node in nodes}
    groups = [
        placement_group([found], strategy="STRICT_PACK", bundle_label_selector=[{"ray.io/node-id": node.id}])
        for node, found in held.items()
    ]
    until = time.monotonic() + RESERVED_S
    for group in groups:
        group.wait(max(0.0, until - time.monotonic()))
