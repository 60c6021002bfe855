"""A cluster's nodes in the plan: what each has, and what it lacks for this run."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from pipeline.cluster.nodes import Node
from pipeline.cluster.session import ray_at
from pipeline.config import RunConfig
from pipeline.errors import StartError, UserError
from pipeline.store import Store
from pipeline.terminal.quiet import quiet
from stages.annotate.nodes import Facts, Nodes, Wanted
from stages.plan.checks import Check


@dataclass(frozen=True, slots=True)
class PlannedNode:
    """A row of the table of nodes."""

    node: str
    cpus: float
    gpus: float
    device: str
    python: str
    packages: Mapping[str, str | None]
    """Those that draws or verdicts of this run depend on; null for what is not installed."""
    run_directory: str
    """`shared`, or `not shared`."""
    model: str
    """`there`, `sent`, `missing`, or `no folder` for one that the hub has."""
    lacks: str | None
    """What is wrong, with the mend; null where nothing is."""


def planned_nodes(config: RunConfig) -> tuple[list[PlannedNode], list[Check]]:
    """Asks the nodes of `ray.address`, as a run does before it starts an engine; nothing without a cluster."""
    if config.ray.address is None:
        return [], []
    store = Store(config.run_dir)
    # A run may be under way here, or begin: its engines look into its own folder, which a plan has no lock to change.
    folder = f"nodes-plan-{uuid.uuid4().hex}"
    try:
        with tempfile.TemporaryDirectory() as logs, quiet(logs, goes_on=False), ray_at(config.ray.address):
            fresh = not store.exists()
            store.make()
            try:
                nodes = Nodes(store, config, folder)
                rows = [_row(node, nodes.known[node], nodes.wanted, why) for node, why in nodes.complaints().items()]
                told = f"ray.address={config.ray.address}: {nodes.summary()}"
            finally:
                store.clear(folder)
                if fresh and store.local:
                    # What a run has begun meanwhile stays: only an empty folder goes.
                    with suppress(OSError):
                        os.rmdir(store.root)
    except (UserError, StartError) as error:
        return [], [Check("wrong", str(error))]
    wrong = [Check("wrong", f"node {row.node}: {row.lacks}") for row in rows if row.lacks]
    return rows, wrong or [Check("ok", told)]


def _row(node: Node, facts: Facts, wanted: Wanted, lacks: str | None) -> PlannedNode:
    return PlannedNode(
        node.name,
        node.resources.get("CPU", 0.0),
        node.resources.get("GPU", 0.0),
        facts.device,
        facts.python,
        {name: facts.packages.get(name) for name in wanted.packages},
        "shared" if facts.directory is None else "not shared",
        _model(facts, wanted),
        lacks,
    )


def _model(facts: Facts, wanted: Wanted) -> str:
    if wanted.parcel is None:
        return "no folder"
    if facts.has_model:
        return "there"
    return "sent" if wanted.parcel.pieces else "missing"
