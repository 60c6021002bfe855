"""What a training keeps of the trainer's log, and which checkpoint it goes on from."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.rl.train import conversation, last_checkpoint, over_time, reward_function, rows
from pipeline.errors import UserError


def test_the_newest_checkpoint_that_was_finished_is_gone_on_from(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path / "nowhere") is None
    for step in (80, 100, 120):
        (tmp_path / f"checkpoint-{step}").mkdir()
    assert last_checkpoint(tmp_path) is None
    for step in (80, 100):
        (tmp_path / f"checkpoint-{step}" / "trainer_state.json").touch()
    assert last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-100")


def test_the_log_is_kept_step_by_step() -> None:
    entry = {"reward": 0.5, "oracle/answers": 0.25, "oracle/steps": 1 / 3, "completions/mean_length": 30.0,
             "completions/clipped_ratio": 0.0, "entropy": 0.02, "frac_reward_zero_std": 0.5, "step_time": 2.0}  # fmt: skip
    found = over_time([entry, {**entry, "visualprm_unscored": 0.125}, {"train_runtime": 9.0}])
    assert found["reward"] == [0.5, 0.5]
    assert found["answers"] == [0.25, 0.25]
    assert found["steps"] == [0.33333, 0.33333]
    assert found["unscored"] == [0, 0.125]


def test_rows_have_what_trl_and_rewards_want() -> None:
    (row,) = rows(1)
    assert row["prompt"] == conversation(row["question"])
    assert row["prompt"][0]["content"] == f"{row['question']}\nSolve step by step."
    assert row["images"][0].size == (144, 144)
    assert row["name"].startswith("bars-")
    assert row["answer"].isdecimal()


def test_a_prms_reward_needs_the_address_of_its_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VISUALPRM_REWARD_URL", raising=False)
    with pytest.raises(UserError, match="VISUALPRM_REWARD_URL: set it to the address"):
        reward_function("min")
    assert reward_function("outcome").__name__ == "outcome"
