"""A pool from a real run of the command: frozen, found again, not overwritten, reported."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.integration.conftest import Command, scripted

pytestmark = pytest.mark.integration


def test_sample_freeze_and_report(visualprm: Command, tmp_path: Path) -> None:
    config, pool = scripted(tmp_path), tmp_path / "pool"
    sampled = visualprm("bon", "sample", config, "--n", 6, "--greedy-first", "--out", pool)
    assert sampled.returncode == 0, sampled.stderr
    rows = pq.read_table(pool / "candidates.parquet").to_pylist()
    assert len(rows) == 24 * 6
    for row in rows:
        assert "\n\n".join(row["steps"]) == row["text"]
        assert (row["answer_group"] is None) == (row["status"] in ("no_answer", "truncated"))
    by_answer = {
        (row["problem_id"], row["answer"], row["answer_group"]) for row in rows if row["answer_group"] is not None
    }
    assert len(by_answer) == len({(problem, answer) for problem, answer, _ in by_answer})
    about = json.loads((pool / "pool.json").read_text())
    assert (about["problems"], about["num_candidates"], about["sampling"]["greedy_first"]) == (24, 6, True)
    again = visualprm("bon", "sample", config, "--n", 6, "--greedy-first", "--out", pool)
    assert again.returncode == 0
    assert "nothing to do" in again.stdout
    # The run is still there: a pool that was lost comes back the same.
    for path in pool.iterdir():
        path.unlink()
    assert visualprm("bon", "sample", config, "--n", 6, "--greedy-first", "--out", pool).returncode == 0
    assert json.loads((pool / "pool.json").read_text()) == about

    refused = visualprm("bon", "sample", config, "--n", 3, "--out", pool)
    assert refused.returncode == 2
    assert "holds another frozen pool" in refused.stderr.splitlines()[-1]

    reported = visualprm("bon", "report", pool, "resamples=200")
    assert reported.returncode == 0, reported.stderr
    assert "| oracle pass@N |" in reported.stdout
    assert (pool / "report" / "report.png").exists()


def test_a_pool_of_too_many_is_refused(visualprm: Command, tmp_path: Path) -> None:
    wide = visualprm("bon", "sample", scripted(tmp_path), "--n", 129)
    assert wide.returncode == 2
    assert "--n 129: a pool holds 1 to 128 candidates per problem" in wide.stderr
