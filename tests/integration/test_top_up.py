"""A run that goes on from a cheaper one's ledger: the same bytes as a run that drew everything itself."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.kills import digests
from pipeline.store import Store
from tests.integration.conftest import Command, scripted
from tests.integration.test_dataset import published


def ledger(run: Path) -> dict[str, dict]:
    rows = [row for path in Store(str(run)).ledger_files() for row in pq.read_table(path).to_pylist()]
    return {row["problem_id"]: row for row in rows}


def test_a_top_up_equals_a_fixed_run_and_draws_only_what_is_missing(
    visualprm: Command, finished: Path, tmp_path: Path
) -> None:
    config = scripted(tmp_path)
    places = {name: [f"run_dir={tmp_path / name}", f"output_dir={tmp_path / name}-data"] for name in
              ("cheap", "topped")}  # fmt: skip
    cheap = ["rollout.strategy=right_to_left", "rollout.rounds=[1]", "rollout.audit_fraction=0.3"]
    done = visualprm("dataset", config, *cheap, *places["cheap"])
    assert done.returncode == 0, done.stderr[-3000:]
    assert "with an audit of 30 %" in done.stdout
    assert "## Scores" in (tmp_path / "cheap-data" / "README.md").read_text()
    steps = [step for row in published(tmp_path / "cheap-data") for step in row["steps_with_score"]]
    implied = [step for step in steps if step["origin"] == "implied"]
    assert implied
    assert {(step["label"], step["score"], step["num_mc_total"]) for step in implied} == {("+", None, None)}

    done = visualprm("dataset", config, f"input.ledger={tmp_path / 'cheap'}", *places["topped"])
    assert done.returncode == 0, done.stderr[-3000:]
    assert digests(tmp_path / "topped-data") == digests(finished / "data")
    assert ledger(tmp_path / "topped") == ledger(finished / "run")
    counted = [json.loads(path.read_text()) for path in (tmp_path / "topped" / "progress").glob("*.json")]
    drawn, made = (
        sum(row["num_draws"] for row in ledger(run).values()) for run in (finished / "run", tmp_path / "cheap")
    )
    assert made < drawn
    assert sum(counters["draws"] for counters in counted) <= drawn - made
    assert (
        "nothing to do" in visualprm("dataset", config, f"input.ledger={tmp_path / 'cheap'}", *places["topped"]).stdout
    )

    refused = visualprm("dataset", config, "seed=1", f"input.ledger={tmp_path / 'cheap'}", f"run_dir={tmp_path / 'x'}")
    assert refused.returncode == 2
    assert "seed (0, now 1)" in refused.stderr
    assert refused.stderr.count("\n") == 1

    high = visualprm("publish", tmp_path / "cheap", "label.threshold=0.5")
    assert high.returncode == 2
    assert "top the run up" in high.stderr
