"""The nodes of a cluster, as Ray tells of them, and work that is given to one."""

from __future__ import annotations

from typing import Any

import pytest
import ray
import ray.util

from pipeline.cluster import nodes
from pipeline.cluster.nodes import RESERVED_S, Node, living, on_node, on_nodes, reserve, works

ROWS = [
    {
        "NodeID": "b",
        "NodeManagerHostname": "two",
        "NodeManagerAddress": "10.0.0.2",
        "Resources": {"CPU": 4.0},
        "Alive": True,
    },
    {"NodeID": "c", "NodeManagerHostname": "gone", "NodeManagerAddress": "10.0.0.3", "Resources": {}, "Alive": False},
    {
        "NodeID": "a",
        "NodeManagerHostname": "one",
        "NodeManagerAddress": "10.0.0.1",
        "Resources": {"memory": 1.0},
        "Alive": True,
    },
]


def test_those_that_live_and_those_that_are_given_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "nodes", lambda: ROWS)
    found = living()
    assert [node.name for node in found] == ["one (10.0.0.1)", "two (10.0.0.2)"]
    assert [works(node) for node in found] == [False, True]


IDS = {name: f"{number:02d}" * 28 for number, name in enumerate(("a", "b", "silent", "lost", "wrong"), 1)}
NAMES = {id: name for name, id in IDS.items()}


class Task:
    """In place of `ray.remote`: each node answers with its id, `silent` not at all, `lost` by an error of Ray's."""

    def __init__(self, work: Any) -> None:
        self.work = work

    def options(self, scheduling_strategy: Any, **_: Any) -> Task:
        self.node = NAMES[scheduling_strategy.node_id]
        return self

    def remote(self, *arguments: Any) -> tuple[str, Any]:
        if self.node == "wrong":
            return self.node, ray.exceptions.RayTaskError("work", "", KeyError("mine"))
        return self.node, self.work(self.node, *arguments)


def get(ref: tuple[str, Any]) -> Any:
    if ref[0] == "lost":
        raise ray.exceptions.WorkerCrashedError
    if isinstance(ref[1], Exception):
        raise ref[1]
    return ref[1]


@pytest.fixture(autouse=True)
def _tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    def wait(refs: list[Any], num_returns: int, timeout: float) -> tuple[list[Any], list[Any]]:
        assert num_returns == len(refs)
        assert timeout == nodes.ANSWER_S
        return [ref for ref in refs if ref[0] != "silent"], []

    monkeypatch.setattr(ray, "remote", Task)
    monkeypatch.setattr(ray, "wait", wait)
    monkeypatch.setattr(ray, "get", get)


def test_a_node_that_does_not_answer_gives_none() -> None:
    assert on_nodes([IDS[name] for name in ("a", "silent", "lost")], lambda node, number: f"{node}{number}", 7) == [
        "a7",
        None,
        None,
    ]
    assert on_nodes([], len) == []
    assert on_node(IDS["b"], lambda node: node) == "b"


def test_what_the_work_raises_is_raised_here() -> None:
    with pytest.raises(KeyError, match="mine"):
        on_node(IDS["wrong"], lambda node: node)


def test_nodes_left_out_are_taken_as_a_whole_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[Any] = []

    class Group:
        def __init__(self, bundles: list[dict[str, float]], **how: Any) -> None:
            held.append((bundles, how))

        def wait(self, seconds: float) -> None:
            assert 0 <= seconds <= RESERVED_S
            held.append("waited")

    monkeypatch.setattr(ray.util, "placement_group", Group)
    reserve([Node(name, name, "10.0.0.1", {"CPU": 4.0, "GPU": 0.0, "memory": 9.0}) for name in ("a", "b")])
    assert held == [
        *(
            ([{"CPU": 4.0}], {"strategy": "STRICT_PACK", "bundle_label_selector": [{"ray.io/node-id": name}]})
            for name in ("a", "b")
        ),
        "waited",
        "waited",
    ]
    reserve([])
