"""TRL trains the demo's policy on our rewards, with pictures: three steps of GRPO, generation by transformers."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as PillowImage

from benchmarks.scorer import POLICY
from demo.benchmark import problems
from stages.reward.client import RewardClient
from stages.reward.model import ProcessRewardModel
from stages.reward.server.limits import Limits
from stages.rewards.rewarder import Rewarder
from stages.rewards.trl import TrlReward
from tests.places import ROOT
from tests.unit.stages.reward.server.test_run import listening

pytestmark = [pytest.mark.integration, pytest.mark.more]


def test_grpo_trains_on_step_scores(tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="the group `rl` is not installed")
    from datasets import Dataset
    from transformers import AutoModelForImageTextToText, AutoProcessor
    from trl import GRPOConfig, GRPOTrainer

    template = (ROOT / "prompts" / "demo_v1.txt").read_text()
    rows: list[dict[str, Any]] = [
        {
            "prompt": [{"role": "user", "content": template.replace("{question}", row["question"])}],
            "question": row["question"],
            "images": [PillowImage.open(io.BytesIO(row["image"])).convert("RGB")],
            "answer": str(row["answer"]),
        }
        for row in problems(count=6)
    ]
    args = GRPOConfig(
        output_dir=str(tmp_path), max_steps=3, per_device_train_batch_size=8, num_generations=4, max_completion_length=64,
        use_cpu=True, bf16=False, report_to=[], logging_steps=1, save_strategy="no", disable_tqdm=True, seed=0,
    )  # fmt: skip
    scorer: Any = ProcessRewardModel.from_pretrained(POLICY, device="cpu", dtype="float32")
    with listening(Limits(), scorer) as (port, *_):
        rewarder = Rewarder(RewardClient(f"http://127.0.0.1:{port}"), "ps_grpo", ("number", "text"))
        trainer = GRPOTrainer(
            model=AutoModelForImageTextToText.from_pretrained(POLICY, dtype="float32"),
            processing_class=AutoProcessor.from_pretrained(POLICY),
            reward_funcs=[TrlReward(rewarder), TrlReward(Rewarder(rewarder.client, "mean"))],
            args=args,
            train_dataset=Dataset.from_list(rows),
        )
        trainer.train()
        rewarder.close()
    steps = [entry for entry in trainer.state.log_history if "reward" in entry]
    assert len(steps) == 3
    for entry in steps:
        assert 0 <= entry["rewards/visualprm_ps_grpo/mean"] <= 1
        assert 0 < entry["rewards/visualprm_mean/mean"] < 1
        assert entry["visualprm_unscored"] < 1
