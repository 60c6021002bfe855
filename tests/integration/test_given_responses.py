"""A run over a file of responses: they are published as they are, with steps that the policy continued."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stages.publish.reading import read_rows
from tests.integration.conftest import Command, scripted

pytestmark = pytest.mark.integration


def test_given_responses_are_annotated_instead_of_sampled_ones(visualprm: Command, tmp_path: Path) -> None:
    config = scripted(tmp_path)
    responses = tmp_path / "responses.jsonl"
    wanted = {f"q{number}": f"Look {number}.\n\nThink.\n\nFinal answer: {4 + number % 2}" for number in range(5)}
    rows = [{"id": key, "response": text} for key, text in wanted.items()]
    responses.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"id": "nobody", "response": "x"}]))
    done = visualprm("dataset", config, f"input.responses={responses}", "input.responses_policy=ours")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "1 responses name no problem of this run" in done.stderr
    published = list(read_rows(str(next(tmp_path.rglob("train-*.parquet")).parent)))
    assert sorted(row["response"] for row in published) == sorted(wanted.values())
    for row in published:
        assert row["policy_model"].startswith("ours + ")
        assert row["response_correct"] == row["response"].endswith("4")
        origins = [step["origin"] for step in row["steps_with_score"]]
        assert origins == ["measured", "measured", "own_answer"]
        assert all(step["num_mc_total"] for step in row["steps_with_score"])

    responses.write_text(json.dumps({"id": "q0", "response": "Final answer: 4"}) + "\n")
    done = visualprm("dataset", config, f"input.responses={responses}", "input.responses_policy=ours")
    assert done.returncode == 2
    assert "made with other settings" in done.stderr


@pytest.mark.more
def test_a_run_over_responses_is_topped_up_to_what_a_fixed_one_draws(visualprm: Command, tmp_path: Path) -> None:
    config = scripted(tmp_path)
    responses = tmp_path / "responses.jsonl"
    rows = [{"id": f"q{number}", "response": f"Look {number}.\n\nThink.\n\nFinal answer: 4"} for number in range(4)]
    responses.write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = [f"input.responses={responses}", "input.responses_policy=ours"]
    for name, settings in (
        ("cheap", [*given, "rollout.strategy=first_success", "rollout.rounds=[1]"]),
        ("topped", [f"input.ledger={tmp_path / 'cheap'}", "input.responses_policy=ours"]),
        ("whole", given),
    ):
        places = [f"run_dir={tmp_path / name}", f"output_dir={tmp_path / name}-data"]
        done = visualprm("dataset", config, *settings, *places)
        assert done.returncode == 0, done.stderr[-3000:]
    published = [{row["id"]: row for row in read_rows(str(tmp_path / f"{name}-data"))} for name in ("topped", "whole")]
    assert published[0] == published[1]
    assert len(published[0]) == 4
