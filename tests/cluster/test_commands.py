"""The other commands on two nodes: real vLLM, publishing and checking, scores and training by two workers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.kills import digests
from tests import shards
from tests.cluster.conftest import Start
from tests.cluster.nodes import Cluster
from tests.families import family
from tests.places import ROOT
from tests.waiting import wait_until


@pytest.mark.timeout(1200)
def test_real_vllm_on_two_nodes_one_of_which_dies(whole: Cluster, start: Start, tmp_path: Path) -> None:
    """The second node has no demo: its model is sent. Then it dies, half way."""
    whole.kill(1)
    whole.start(1, hidden=ROOT / "demo")

    def demo(folder: Path, *more: str) -> list[str]:
        return ["dataset", "configs/demo.yaml", f"run_dir={folder}/run", f"output_dir={folder}/data", *SMALL, *more]

    alone = start(None, *demo(tmp_path / "alone"))
    assert alone.end(600) == 0, alone.said
    driver = start(
        whole, *demo(tmp_path / "both", f"ray.address={whole.address}", "engine.replicas=2", "engine.gpus=1")
    )
    wait_until(lambda: "2 of 2 engines ready" in driver.said or driver.process.poll() is not None, 300)
    committed = tmp_path / "both" / "run" / "checkpoint"
    wait_until(lambda: any(committed.glob("*.parquet")) or driver.process.poll() is not None, 120)
    whole.kill(1)
    assert driver.end(600) == 0, driver.said
    assert digests(tmp_path / "both" / "data") == digests(tmp_path / "alone" / "data")
    assert "Traceback" not in driver.said
    (kept,) = Path("/tmp").glob("visualprm-models-*/*/config.json") or [None]
    assert kept is not None


SMALL = (
    "sources.0.kwargs.count=12",
    "rollout.num_draws=4",
    "sampling.num_solutions=2",
    "engine.max_in_flight=2",
    "ray.rows_per_block=1",
    "engine.args.kv_cache_memory_bytes=268435456",
    "publish.card_sections=[]",
)


@pytest.fixture(scope="module")
def critic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random InternVL of two layers."""
    folder = tmp_path_factory.mktemp("critic")
    model, processor = family("internvl")
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shards.write(tmp_path_factory.mktemp("dataset") / "data", shards.solutions(8, 2)))


def test_scores_of_two_workers_are_those_of_one_process(
    whole: Cluster, start: Start, critic: Path, dataset: Path, tmp_path: Path
) -> None:
    (shard,) = dataset.glob("*.parquet")
    here = ["score", critic, shard, "--out", tmp_path / "here.jsonl", "--dtype", "float32"]
    assert (alone := start(None, *here)).end() == 0, alone.said
    there = [*here[:4], tmp_path / "there.jsonl", *here[5:], "--replicas", 2, "--ray-address", whole.address]
    assert (driver := start(whole, *there)).end() == 0, driver.said
    assert (tmp_path / "there.jsonl").read_bytes() == (tmp_path / "here.jsonl").read_bytes()
    assert "Traceback" not in driver.said


def test_a_training_by_two_workers_of_a_cluster_is_that_of_one_machine(
    whole: Cluster, start: Start, critic: Path, dataset: Path, tmp_path: Path
) -> None:
    weights = []
    for name, cluster in (("alone", None), ("both", whole)):
        config = tmp_path / f"{name}.json"
        address = cluster.address if cluster else None
        config.write_text(json.dumps({**TRAINING, "data": {"path": str(dataset), "held_out": 0.0},
                                      "model": {**TRAINING["model"], "base": str(critic)},
                                      "run_dir": str(tmp_path / name / "run"), "output_dir": str(tmp_path / name / "out"),
                                      "ray": {"workers": 2, "gpu": False, "address": address}}))  # fmt: skip
        driver = start(cluster, "train", config)
        assert driver.end() == 0, driver.said
        assert "Traceback" not in driver.said
        weights.append((tmp_path / name / "out" / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]


TRAINING: dict = {
    "name": "t",
    "model": {"output_dtype": "float32", "attention": "eager"},
    "optim": {"loader_workers": 0, "batch_size": 4, "epochs": 1, "bf16": False},
    "check": {"log_every": 1, "report_to": []},
}


def test_a_run_of_a_cluster_is_checked_and_published_again(whole: Cluster, start: Start, tmp_path: Path) -> None:
    from tests.cluster.conftest import slow

    driver = start(whole, "dataset", slow(tmp_path, whole.address, replicas=2))
    assert driver.end() == 0, driver.said
    before = digests(tmp_path / "data")
    for command in (["doctor", tmp_path / "run"], ["publish", tmp_path / "run"], ["status", tmp_path / "run"]):
        done = subprocess.run(
            [sys.executable, "-m", "pipeline.cli", *map(str, command)], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    assert digests(tmp_path / "data") == before
