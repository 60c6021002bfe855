"""A cluster's nodes in the plan; a real cluster is in tests/cluster."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import ray

from pipeline.cluster.nodes import Node
from pipeline.config import RunConfig, parse_config
from pipeline.errors import UserError
from pipeline.store import Store
from stages.annotate import nodes as checks
from stages.annotate.nodes import Facts, Wanted, facts_of
from stages.plan import nodes as planning
from stages.plan.nodes import planned_nodes

ONE, TWO = (
    Node(name, name, f"10.0.0.{number}", {"CPU": 2.0, "GPU": 1.0}) for number, name in enumerate(("one", "two"))
)


def config(folder: Path, address: str | None) -> RunConfig:
    sources = [{"name": "a", "path": "a.jsonl", "verify": ["number"]}]
    keys = {"name": "x", "run_dir": str(folder / "run"), "sources": sources, "engine": {"kind": "scripted"}}
    return parse_config({**keys, "ray": {"address": address}})


@pytest.fixture
def _two_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    def answers(ids: list[str], _: object, wanted: Wanted) -> list[Facts]:
        facts = facts_of(wanted)
        return [facts, replace(facts, packages={**facts.packages, "sympy": "1.0"})]

    monkeypatch.setattr(planning, "ray_at", lambda _: nullcontext())
    monkeypatch.setattr(checks, "living", lambda: [ONE, TWO])
    monkeypatch.setattr(checks, "on_nodes", answers)
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 4.0, "GPU": 2.0})
    monkeypatch.setattr(ray, "available_resources", lambda: {"CPU": 4.0, "GPU": 2.0})


def test_this_machine_alone_has_no_table(tmp_path: Path) -> None:
    assert planned_nodes(config(tmp_path, None)) == ([], [])


@pytest.mark.usefixtures("_two_nodes")
def test_each_node_has_a_row_and_what_it_lacks_is_in_the_way(tmp_path: Path) -> None:
    rows, told = planned_nodes(config(tmp_path, "auto"))
    assert [(row.node, row.cpus, row.gpus, row.run_directory, row.model) for row in rows] == [
        ("one (10.0.0.0)", 2, 1, "shared", "no folder"),
        ("two (10.0.0.1)", 2, 1, "shared", "no folder"),
    ]
    assert rows[0].lacks is None
    assert rows[1].packages["sympy"] == "1.0"
    (check,) = told
    assert check.verdict == "wrong"
    assert check.text.startswith("node two (10.0.0.1): it has sympy 1.0, and the run")
    assert not (tmp_path / "run").exists(), "a plan makes no run directory"


@pytest.mark.usefixtures("_two_nodes")
def test_a_run_that_is_under_way_keeps_its_word_to_its_engines(tmp_path: Path) -> None:
    run = Store(str(tmp_path / "run"))
    run.write_text("nodes/driver", "the run's word")
    planned_nodes(config(tmp_path, "auto"))
    assert run.read_text("nodes", "driver") == "the run's word"
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["nodes"], "a plan leaves nothing of its own"


@pytest.mark.usefixtures("_two_nodes")
def test_a_run_that_begins_while_the_nodes_are_asked_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def begins() -> list[Node]:
        Store(str(tmp_path / "run")).write_text("driver.lock", "held")
        return [ONE, TWO]

    monkeypatch.setattr(checks, "living", begins)
    rows, _ = planned_nodes(config(tmp_path, "auto"))
    assert [row.run_directory for row in rows] == ["shared", "shared"]
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["driver.lock"]


def test_a_cluster_that_is_not_there_is_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(_: str) -> None:
        raise UserError("ray.address=auto: no Ray cluster is there")

    monkeypatch.setattr(planning, "ray_at", nowhere)
    rows, (check,) = planned_nodes(config(tmp_path, "auto"))
    assert rows == []
    assert (check.verdict, check.text) == ("wrong", "ray.address=auto: no Ray cluster is there")
