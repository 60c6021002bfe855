"""What a cluster's nodes must have: what they say of themselves, what is wrong with it, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
import ray

from pipeline.cluster.nodes import Node
from pipeline.config import EngineConfig, RunConfig, parse_config
from pipeline.engine.parcel import Parcel
from pipeline.errors import StartError, UserError
from pipeline.store import Store
from stages.annotate import nodes as checks
from stages.annotate.graph import asked, engines_at_once, first_engines, gpus_per_engine
from stages.annotate.nodes import Facts, Nodes, Wanted, complaint, engine_may_start_here, facts_of

MODEL = Parcel("/models/large", "0123456789ab", (("model.safetensors", 16_000_000_000),))
WANTED = Wanted("/run", "word", {"vllm": "0.32.0", "torch": "2.13.0+cpu", "sympy": "1.14.0"}, None)
FACTS = Facts("3.11.7", {"vllm": "0.32.0", "torch": "2.13.0", "sympy": "1.14.0"}, False, "a CPU")


@pytest.mark.parametrize(
    ("facts", "wanted", "words"),
    [
        (FACTS, WANTED, None),
        (
            replace(FACTS, directory="it does not see it"),
            WANTED,
            "it does not see it: give a run_dir that all nodes see",
        ),
        (
            replace(FACTS, packages={**FACTS.packages, "sympy": "1.13.3"}),
            WANTED,
            "it has sympy 1.13.3, and the run 1.14.0: install 1.14.0 there",
        ),
        (
            replace(FACTS, packages={**FACTS.packages, "vllm": None}),
            WANTED,
            "it has vllm not at all, and the run 0.32.0: install 0.32.0 there",
        ),
        (FACTS, replace(WANTED, packages={"vllm": None}), None),
        (
            replace(FACTS, has_model=False),
            replace(WANTED, parcel=MODEL),
            "it lacks the model /models/large (16.0 GB): copy it there, or give engine.ship_model=true",
        ),
        (FACTS, replace(WANTED, parcel=MODEL), None),
        (replace(FACTS, has_model=False), replace(WANTED, parcel=replace(MODEL, pieces=(("ref",),))), None),
    ],
)
def test_what_a_node_lacks_is_told_with_the_mend(facts: Facts, wanted: Wanted, words: str | None) -> None:
    found = complaint(facts, wanted)
    assert found is None if words is None else found is not None and found.startswith(words)


def test_a_machine_says_what_it_is_and_answers_in_the_run_directory(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    store.write_text("nodes/driver", "word")
    facts = facts_of(replace(WANTED, directory=str(tmp_path)))
    assert facts.directory is None
    assert facts.wrote is not None
    assert store.read_text("nodes", facts.wrote) == "word"
    assert facts.packages["sympy"]
    assert facts.device
    other = facts_of(replace(WANTED, directory=str(tmp_path), word="another run's"))
    assert other.directory == f"it does not see what the driver writes in {tmp_path}"
    assert not (tmp_path / "elsewhere").exists()
    assert facts_of(replace(WANTED, directory=str(tmp_path / "elsewhere"))).directory is not None
    assert not (tmp_path / "elsewhere").exists(), "a node must make no run directory of its own"


ONE, TWO = (Node(name, name, f"10.0.0.{number}", {"CPU": 2.0}) for number, name in enumerate(("one", "two"), 1))
HEAD = Node("head", "head", "10.0.0.9", {})
Answer = Callable[[Wanted], Facts | None]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> dict[Node, Answer]:
    """Nodes and how each answers; a head without places is never asked."""
    answers: dict[Node, Answer] = {HEAD: lambda _: pytest.fail("it gets no work")}

    def on_nodes(ids: list[str], work: object, wanted: Wanted) -> list[Facts | None]:
        assert work is facts_of
        by_id = {node.id: answer for node, answer in answers.items()}
        return [by_id[each](wanted) for each in ids]

    monkeypatch.setattr(checks, "living", lambda: list(answers))
    monkeypatch.setattr(checks, "on_nodes", on_nodes)
    return answers


def config(folder: Path) -> RunConfig:
    sources = [{"name": "a", "path": "a.jsonl", "verify": ["number"]}]
    keys = {"name": "x", "run_dir": str(folder), "sources": sources, "engine": {"kind": "scripted"}}
    return parse_config({**keys, "ray": {"address": "10.0.0.9:6379"}})


def older(wanted: Wanted) -> Facts:
    facts = facts_of(wanted)
    return replace(facts, packages={**facts.packages, "sympy": "1.0"})


def test_nodes_that_fit_are_known_and_the_others_refused_by_name(
    cluster: dict[Node, Answer], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster |= {ONE: facts_of, TWO: lambda _: None}
    known = Nodes(Store(str(tmp_path)), config(tmp_path)).known
    assert list(known) == [ONE]
    assert "node two (10.0.0.2) does not answer" in capsys.readouterr().err
    cluster[TWO] = older
    with pytest.raises(
        UserError, match=r"ray.address=10.0.0.9:6379: node two \(10.0.0.2\): it has sympy 1.0, and the run"
    ):
        Nodes(Store(str(tmp_path)), config(tmp_path)).refuse()


def test_a_node_whose_files_do_not_come_to_the_driver_is_refused(cluster: dict[Node, Answer], tmp_path: Path) -> None:
    cluster[ONE] = lambda wanted: replace(facts_of(wanted), wrote="on a disk of its own")
    with pytest.raises(
        UserError, match=r"node one .*: what it writes in .* does not come to the driver: give a run_dir"
    ):
        Nodes(Store(str(tmp_path)), config(tmp_path)).refuse()


def test_nodes_that_join_later_are_told_and_left_out_where_they_lack_something(
    cluster: dict[Node, Answer], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[Node] = []
    monkeypatch.setattr(checks, "reserve", left.extend)
    cluster[ONE] = facts_of
    nodes = Nodes(Store(str(tmp_path)), config(tmp_path))
    nodes.look()
    assert capsys.readouterr().err == ""
    three = Node("three", "three", "10.0.0.3", {"CPU": 2.0})
    cluster |= {TWO: older, three: facts_of}
    nodes.look()
    nodes.look()
    told = capsys.readouterr().err.splitlines()
    assert left == [TWO]
    assert [line.partition(")")[0] for line in told] == ["node two (10.0.0.2", "node three (10.0.0.3"]
    assert "has joined, and is left out: it has sympy 1.0" in told[0]


def unreadable(_: Wanted) -> NoReturn:
    raise ValueError("no answer that can be read")


def test_a_task_that_failed_on_a_node_that_lacks_something_ends_the_run_in_a_line(
    cluster: dict[Node, Answer], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "reserve", lambda nodes: None)
    cluster[ONE] = facts_of
    nodes = Nodes(Store(str(tmp_path)), config(tmp_path))

    def fails(ip: str) -> NoReturn:
        raise ray.exceptions.RayTaskError(
            "Write", f"ray::Write() (pid=7, ip={ip})", FileNotFoundError("part-0")
        ).as_instanceof_cause()

    with pytest.raises(FileNotFoundError), nodes.newcomers_checked():
        fails("10.0.0.2")
    cluster[TWO] = older
    why = r"a task failed on node two \(10.0.0.2\) before it was left out: mend the node"
    with pytest.raises(StartError, match=why), nodes.newcomers_checked():
        fails("10.0.0.2")
    assert "node two (10.0.0.2) has joined, and is left out" in capsys.readouterr().err
    # What fails elsewhere is told as it is, and a node that can't even be asked hides no error.
    cluster[Node("three", "three", "10.0.0.3", {"CPU": 2.0})] = unreadable
    with pytest.raises(FileNotFoundError), nodes.newcomers_checked():
        fails("10.0.0.1")


def test_an_engine_on_a_node_that_lacks_something_ends_its_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended: list[Any] = []
    monkeypatch.setattr(checks.time, "sleep", ended.append)
    monkeypatch.setattr(checks.os, "_exit", ended.append)
    (tmp_path / "nodes").mkdir()
    (tmp_path / "nodes" / "driver").write_text("word")
    packages = {name: facts_of(WANTED).packages[name] for name in ("sympy",)}
    fitting = replace(WANTED, directory=str(tmp_path), packages=packages)
    engine_may_start_here(fitting)
    assert not ended
    engine_may_start_here(replace(fitting, word="another run's"))
    assert ended[-1] == 1
    assert "no engine starts on" in capsys.readouterr().err


def test_a_summary_of_the_cluster(cluster: dict[Node, Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster[ONE] = facts_of
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 2.0, "GPU": 1.0})
    monkeypatch.setattr(ray, "available_resources", lambda: {"CPU": 1.0})
    assert Nodes(Store(str(tmp_path)), config(tmp_path)).summary() == "1 node with 2 CPUs, 1 GPU (free: 1 CPU)"


@pytest.mark.parametrize(
    ("engine", "can_have_gpus", "gpus"),
    [
        (EngineConfig(tensor_parallel_size=2), True, 2),
        (EngineConfig(tensor_parallel_size=2), False, 0),
        (EngineConfig(kind="scripted"), True, 0),
        (EngineConfig(kind="scripted", gpus=0.5), True, 0.5),
        (EngineConfig(gpus=0), True, 0),
    ],
)
def test_gpus_that_an_engine_is_given(engine: EngineConfig, can_have_gpus: bool, gpus: float) -> None:
    assert gpus_per_engine(engine, can_have_gpus) == gpus


@pytest.mark.parametrize(
    ("replicas", "gpus", "bounds", "text"),
    [
        (2, 0.0, (2, 2), "2 engines"),
        (1, 1.0, (1, 1), "1 engine of 1 GPU each"),
        ("auto", 2.0, (1, None), "1 or more engines of 2 GPUs each"),
        ("auto", 0.0, (1, 3), "1 to 3 engines"),
        ({"min": 4}, 0.0, (4, 4), "4 engines"),
        ({"max": 8}, 1.0, (1, 8), "1 to 8 engines of 1 GPU each"),
    ],
)
def test_engines_that_a_run_asks_for(replicas: Any, gpus: float, bounds: tuple[int, int | None], text: str) -> None:
    found = engines_at_once(EngineConfig(replicas=replicas), gpus, 3)
    assert found == bounds
    assert asked(*found, gpus) == text


@pytest.mark.parametrize(
    ("fewest", "most", "gpus", "all_gpus", "number"),
    [(1, None, 2.0, 9.0, 4), (1, 3, 1.0, 8.0, 3), (2, None, 1.0, 0.0, 2), (4, 4, 1.0, 2.0, 4), (1, 3, 0.0, 0.0, 3)],
)
def test_engines_that_are_started_at_once(
    fewest: int, most: int | None, gpus: float, all_gpus: float, number: int
) -> None:
    assert first_engines(fewest, most, gpus, all_gpus) == number
