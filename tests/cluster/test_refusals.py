"""What a cluster or a node lacks is told in a line, and soon."""

from __future__ import annotations

import shutil
import time
from functools import partial
from pathlib import Path

from benchmarks.kills import digests
from tests.cluster.conftest import Driver, Start, slow
from tests.cluster.nodes import Cluster, bare_python
from tests.places import POLICY
from tests.waiting import wait_until

SOON_S = 60.0
"""10 seconds on a quiet machine; beside other tests starting Python alone takes as long."""


def refused(start: Start, cluster: Cluster, config: Path, *arguments: str, status: int = 2, **more: str) -> str:
    """The one line of a command that is refused."""
    began = time.monotonic()
    driver = start(cluster, "dataset", config, *arguments, **more)
    assert driver.end() == status, driver.said
    assert time.monotonic() - began < SOON_S
    lines = driver.said.splitlines()
    assert sum(line.startswith("visualprm: ") for line in lines) == 1, driver.said
    assert "Traceback" not in driver.said
    return next(line for line in lines if line.startswith("visualprm: "))


def test_a_cluster_that_does_not_let_us_in(whole: Cluster, start: Start, tmp_path: Path) -> None:
    config = slow(tmp_path, whole.address)
    assert "the cluster refuses the token of RAY_AUTH_TOKEN" in refused(start, whole, config, RAY_AUTH_TOKEN="0" * 64)
    nobody = str(tmp_path / "nobody")
    told = refused(start, whole, config, RAY_AUTH_TOKEN_PATH=nobody)
    assert "the cluster wants a token, and none is here" in told
    assert "no Ray cluster is there" in refused(start, whole, config, "ray.address=127.0.0.1:1")


def test_a_place_that_never_comes(whole: Cluster, start: Start, tmp_path: Path) -> None:
    config = slow(tmp_path, whole.address)
    told = refused(start, whole, config, "engine.gpus=3", "ray.wait_s=3", status=1)
    assert "in 3 s there was no place for an engine (3 GPUs)" in told
    assert "the same command resumes from here" in told


def test_a_node_with_another_version_without_the_run_or_the_model(
    whole: Cluster, start: Start, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    older = bare_python(tmp_path / "python", "sympy")
    whole.kill(1)
    whole.start(1, python=older)
    config = slow(tmp_path, whole.address)
    assert "(127.0.0.12): it has sympy 0.0.1, and the run" in refused(start, whole, config)
    whole.kill(1)
    (tmp_path / "run").mkdir(exist_ok=True)
    whole.start(1, hidden=tmp_path / "run")
    assert "(127.0.0.12): it does not see what the driver writes in" in refused(start, whole, config)
    # Such a node may join later, too.
    for name, python, hidden in (("older", older, None), ("hidden", None, tmp_path / "hidden" / "run")):
        whole.kill(1)
        (tmp_path / name / "run").mkdir(parents=True)
        driver = start(whole, "dataset", slow(tmp_path / name, whole.address, replicas=2))
        wait_until(partial(_begun, driver), 300)
        whole.start(1, python=python, hidden=hidden)
        driver.end()
        assert "(127.0.0.12) has joined, and is left out: it " in driver.said
        if driver.process.returncode == 1:
            # Ray had given it a task at once.
            assert "a task failed on node" in driver.said
            assert "the same command resumes from here" in driver.said
            whole.kill(1)
            driver = start(whole, "dataset", slow(tmp_path / name, whole.address))
        assert driver.end() == 0, driver.said
        assert digests(tmp_path / name / "data") == undisturbed
        assert "Traceback" not in driver.said


def _begun(driver: Driver) -> bool:
    return "engines ready" in driver.said or driver.process.poll() is not None


def test_a_large_model_that_a_node_lacks(whole: Cluster, start: Start, tmp_path: Path) -> None:
    model = tmp_path / "models" / "large"
    shutil.copytree(POLICY, model)
    with (model / "extra.bin").open("wb") as file:
        file.truncate(65 << 20)
    whole.kill(1)
    whole.start(1, hidden=model)
    config = slow(tmp_path, whole.address, kind="vllm", args={}, model=str(model))
    told = refused(start, whole, config)
    assert f"it lacks the model {model} (0.1 GB): copy it there, or give engine.ship_model=true" in told
