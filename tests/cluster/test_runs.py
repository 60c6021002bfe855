"""Runs on two nodes, disturbed in every way: the bytes of one machine, our words, nothing left."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from benchmarks.kills import digests
from tests.cluster.conftest import Driver, Start, slow
from tests.cluster.nodes import Cluster
from tests.waiting import wait_until


def committed(folder: Path) -> int:
    return len(list((folder / "run" / "checkpoint").glob("*.parquet")))


def places(folder: Path) -> set[str]:
    """The addresses of the nodes where engines ran."""
    rows = [json.loads(path.read_text()) for path in (folder / "run" / "progress").glob("*.json")]
    return {row["process"]["ip"] for row in rows if row["ready"]}


def under_way(driver: Driver, folder: Path, further: int = 1) -> None:
    """Waits until so many further blocks are done."""
    before = committed(folder)
    wait_until(lambda: committed(folder) >= before + further or driver.process.poll() is not None, 300)
    assert driver.process.poll() is None, driver.said


def test_two_nodes_give_the_bytes_of_one_machine(
    whole: Cluster, start: Start, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    driver = start(whole, "dataset", slow(tmp_path, whole.address, replicas="auto"))
    assert driver.end() == 0, driver.said
    assert digests(tmp_path / "data") == undisturbed
    assert (
        f"1 or more engines of 1 GPU each: ray.address={whole.address} has 2 nodes with 4 CPUs, 2 GPUs" in driver.said
    )
    assert places(tmp_path) == {"127.0.0.11", "127.0.0.12"}
    assert "2 engines ran on 2 nodes" in driver.said
    assert "Traceback" not in driver.said
    again = start(whole, "dataset", slow(tmp_path, whole.address, replicas=2))
    assert again.end() == 0
    assert "nothing to do" in again.said


def test_a_node_that_joins_is_used_and_one_that_dies_is_missed_by_nobody(
    whole: Cluster, start: Start, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    whole.kill(1)
    driver = start(whole, "dataset", slow(tmp_path, whole.address, replicas=2))
    under_way(driver, tmp_path)
    whole.start(1)
    wait_until(lambda: "127.0.0.12" in places(tmp_path), 300)
    assert "(127.0.0.12) has joined" in driver.said
    under_way(driver, tmp_path)
    whole.kill(1)
    assert driver.end() == 0, driver.said
    assert digests(tmp_path / "data") == undisturbed
    assert "Ray lost a node" in driver.said
    assert "Traceback" not in driver.said


def test_a_driver_that_was_killed_or_stopped_is_followed_by_another(
    whole: Cluster, start: Start, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    config = slow(tmp_path, whole.address, replicas=2)
    driver = start(whole, "dataset", config)
    under_way(driver, tmp_path)
    driver.kill()
    # The lock of a killed driver ends with its last process; its workers may take a moment.
    wait_until(lambda: not whole.workers(), 30)
    driver = start(whole, "dataset", config)
    under_way(driver, tmp_path)
    driver.process.send_signal(signal.SIGTERM)
    assert driver.end() == 130, driver.said
    assert "the same command resumes" in driver.said
    driver = start(whole, "dataset", config)
    assert driver.end() == 0, driver.said
    assert digests(tmp_path / "data") == undisturbed
    assert "Traceback" not in driver.said


def test_a_head_that_dies_ends_the_run_which_goes_on_elsewhere(
    whole: Cluster, start: Start, undisturbed: dict[str, str], tmp_path: Path
) -> None:
    driver = start(whole, "dataset", slow(tmp_path, whole.address, replicas=2))
    under_way(driver, tmp_path)
    whole.silence_head()
    assert driver.end(120) == 1, driver.said
    assert "the cluster's head is gone" in driver.said
    assert "the same command resumes from here" in driver.said
    assert "Traceback" not in driver.said
    # With the head's node goes the driver's own, and Ray ends the driver: the survivor says so.
    whole.mend()
    driver = start(whole, "dataset", slow(tmp_path, whole.address, replicas=2))
    under_way(driver, tmp_path)
    whole.kill(0)
    assert driver.end(90) == 1, driver.said
    wait_until(lambda: "the same command resumes from here" in driver.said, 30)
    assert "Traceback" not in driver.said
    driver = start(None, "dataset", slow(tmp_path))
    assert driver.end() == 0, driver.said
    assert digests(tmp_path / "data") == undisturbed


def test_of_a_cluster_that_was_closed_nothing_runs(whole: Cluster) -> None:
    whole.stop()
    wait_until(lambda: not whole.processes(), 15)
    assert whole.processes() == []
