"""The whole command on the scripted engine: real Ray, real files, every way to stop and go on."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmarks.kills import digests, run_with_kills
from tests.integration.conftest import Command, Start, scripted
from tests.waiting import wait_until


def published(folder: Path) -> list[dict]:
    return [row for path in sorted(folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def test_a_run_from_sources_to_shards(visualprm: Command, finished: Path) -> None:
    config, run, data = finished / "config.yaml", finished / "run", finished / "data"
    rows = published(data)
    assert len(rows) == 24 * 2
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    for row in rows:
        steps = row["steps_with_score"]
        assert "\n\n".join(step["step"] for step in steps) == row["response"]
        assert {step["num_mc_total"] for step in steps[:-1]} <= {4}
        assert steps[-1]["origin"] == "own_answer"
        assert steps[-1]["num_mc_total"] == 1
    again = visualprm("dataset", config)
    assert again.returncode == 0
    assert "nothing to do" in again.stdout
    before = digests(data)
    relabelled = visualprm("publish", run, "label.threshold=0.5")
    assert relabelled.returncode == 0, relabelled.stderr
    assert digests(data) != before
    assert visualprm("publish", run).returncode == 0
    assert digests(data) == before
    status = visualprm("status", run).stdout
    assert "24 of 24" in status
    shown = visualprm("show", data).stdout
    assert "Final answer" in shown or "can't tell" in shown


def test_other_settings_are_refused_and_named(visualprm: Command, finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished / "run", tmp_path / "run")
    config = scripted(tmp_path)
    refused = visualprm("dataset", config, "sampling.temperature=0.5")
    assert refused.returncode == 2
    assert "sampling.temperature (1.0, now 0.5)" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert visualprm("dataset", config, "label.threshold=0.25", "engine.replicas=2").returncode == 0


def test_two_engines_and_small_blocks_give_the_same_bytes(visualprm: Command, finished: Path, tmp_path: Path) -> None:
    done = visualprm("dataset", scripted(tmp_path), "engine.replicas=2", "ray.rows_per_block=2")
    assert done.returncode == 0, done.stderr
    assert digests(tmp_path / "data") == digests(finished / "data")


@pytest.mark.more
def test_kills_change_no_byte(visualprm: Command, tmp_path: Path) -> None:
    slow = {"kind": "scripted", "max_in_flight": 4, "args": {"tokens_per_second": 60}}
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
        scripted(tmp_path / name, engine=slow, ray={"rows_per_block": 2})
    assert visualprm("dataset", tmp_path / "whole" / "config.yaml").returncode == 0
    command = [sys.executable, "-m", "pipeline.cli", "dataset", str(tmp_path / "killed" / "config.yaml")]
    committed = (tmp_path / "killed" / "run" / "checkpoint").glob

    def further(count: list[int] = [0]) -> bool:  # noqa: B006 - remembers how far the run was at the last kill
        now = len(list(committed("*[0-9].parquet")))
        if now > count[0]:
            count[0] = now
            return True
        return False

    status, kills = run_with_kills(command, tmp_path / "log", 3, random.Random(3), (0, 2), ready=further)
    assert status == 0, (tmp_path / "log").read_text()[-3000:]
    assert sum(kills.values()) == 3
    assert digests(tmp_path / "whole" / "data") == digests(tmp_path / "killed" / "data")


def test_a_stop_is_clean_and_the_run_goes_on(start: Start, visualprm: Command, tmp_path: Path) -> None:
    slow = {"kind": "scripted", "max_in_flight": 4, "args": {"tokens_per_second": 60}}
    config = scripted(tmp_path, engine=slow, ray={"rows_per_block": 2})

    def committed() -> int:
        return len(list((tmp_path / "run" / "checkpoint").glob("*.parquet")))

    def under_way() -> subprocess.Popen:
        """A run that has committed a further block."""
        before, process = committed(), start("dataset", config)
        wait_until(lambda: committed() > before or process.poll() is not None)
        return process

    for signum in (signal.SIGINT, signal.SIGTERM):
        process = under_way()
        process.send_signal(signum)
        status = process.wait(300)
        log = (tmp_path / "output.log").read_text()
        assert status == 130, log[-3000:]
        assert "the same command resumes" in log
        assert "Traceback" not in log
        assert "pending" in visualprm("status", tmp_path / "run").stdout
    done = visualprm("dataset", config)
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(published(tmp_path / "data")) == 48


def test_a_second_driver_is_refused(start: Start, visualprm: Command, tmp_path: Path) -> None:
    config = scripted(tmp_path, engine={"kind": "scripted", "args": {"tokens_per_second": 10}})
    first = start("dataset", config)
    wait_until(lambda: (tmp_path / "run" / "ledger.json").exists())
    second = visualprm("dataset", config)
    assert second.returncode == 2
    assert "another driver works on this run" in second.stderr
    assert first.poll() is None


def test_solutions_alone_are_a_dataset_too(visualprm: Command, tmp_path: Path) -> None:
    done = visualprm("dataset", scripted(tmp_path), "rollout.num_draws=0")
    assert done.returncode == 0, done.stderr[-3000:]
    rows = published(tmp_path / "data")
    assert len(rows) == 48
    origins = [[step["origin"] for step in row["steps_with_score"]] for row in rows]
    assert all(found == ["not_sampled"] * (len(found) - 1) + ["own_answer"] for found in origins)


def test_stats_and_card_lie_beside_the_shards(finished: Path) -> None:
    assert json.loads((finished / "data" / "stats.json").read_text())
    card = (finished / "data" / "README.md").read_text()
    assert card.startswith("---\n")
    assert str(finished) not in card
