"""Trains the demo's policy on one reward with TRL's GRPO, or goes on where this training was stopped.

    VISUALPRM_REWARD_URL=http://127.0.0.1:8000 python -m demo.rl.train min 0 --out outputs/rl/min-0 --run runs/rl-min-0

The policy is written beside training.json, which has the reward over time and what the oracle says of the same responses.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from demo.benchmark import problems
from demo.reproduction.tasks import POLICY
from demo.rl.recipe import OUTCOME, REWARDS, Recipe
from demo.rl.rewards import ANSWERS, NAME, STEPS, Function, OutcomeReward, Watched
from pipeline import atomic
from pipeline.command_line.ending import one_line_errors
from pipeline.errors import UserError
from pipeline.prompts import prompt_file
from stages.reward.client import RewardClient
from stages.reward.outcomes import Outcomes
from stages.reward.scalars import Scalar
from stages.rewards.rewarder import URL, Rewarder
from stages.rewards.trl import TrlReward

SPLIT = "train"
"""Of the problems that are trained on: neither the reward model's nor the test's."""
RESULT = "training.json"
_STATE = "trainer_state.json"
"""What a checkpoint ends with: one without it was not finished."""


def conversation(question: str) -> list[dict[str, Any]]:
    """The prompt that the policy was made with."""
    template = prompt_file("demo_v1.txt").read_text(encoding="utf-8").rstrip("\n")
    return [{"role": "user", "content": template.replace("{question}", question)}]


def rows(count: int) -> list[dict[str, Any]]:
    """The dataset, with TRL's columns and those that rewards want."""
    from PIL import Image

    return [
        {
            "prompt": conversation(row["question"]),
            "images": [Image.open(io.BytesIO(row["image"])).convert("RGB")],
            "question": row["question"],
            "answer": row["answer"],
            NAME: row["id"],
        }
        for row in problems(SPLIT, count)
    ]


def reward_function(reward: str) -> Function:
    """The reward of this name; a PRM's is asked from the service that `VISUALPRM_REWARD_URL` names."""
    if reward == OUTCOME:
        return Watched(OutcomeReward(Outcomes()), reward)
    if not (address := os.environ.get(URL)):
        raise UserError(f"{URL}: set it to the address of `visualprm serve`, such as http://127.0.0.1:8000")
    return Watched(TrlReward(Rewarder(RewardClient(address), cast(Scalar, reward))), reward)


def train(reward: str, seed: int, recipe: Recipe, run: Path, out: Path, prm: str | None = None) -> None:
    """Trains from the last checkpoint in `run`, if there is one, writes to `out`, and removes `run`."""
    from datasets import Dataset
    from transformers import AutoModelForImageTextToText, AutoProcessor
    from trl import GRPOConfig, GRPOTrainer

    args = GRPOConfig(
        output_dir=str(run),
        max_steps=recipe.steps,
        per_device_train_batch_size=recipe.prompts * recipe.group,
        num_generations=recipe.group,
        max_completion_length=recipe.max_tokens,
        temperature=recipe.temperature,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=recipe.warmup,
        seed=seed,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,  # the model is small, and would be computed twice
        logging_steps=1,
        report_to=[],
        disable_tqdm=True,
        save_steps=recipe.save_every,
        save_total_limit=2,
    )
    trainer = GRPOTrainer(
        model=AutoModelForImageTextToText.from_pretrained(POLICY, dtype="float32"),
        processing_class=AutoProcessor.from_pretrained(POLICY),
        reward_funcs=reward_function(reward),
        args=args,
        train_dataset=Dataset.from_list(rows(recipe.steps * recipe.prompts)),
    )
    trainer.train(resume_from_checkpoint=last_checkpoint(run))
    result = {
        "reward": reward,
        "seed": seed,
        "prm": prm,
        "recipe": dataclasses.asdict(recipe),
        "over_time": over_time(trainer.state.log_history),
    }
    with atomic.new_folder(out, last=[RESULT]) as aside:
        trainer.save_model(aside)
        Path(aside, RESULT).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(run)


def last_checkpoint(run: Path) -> str | None:
    """The newest checkpoint that was finished."""
    done = [path for path in run.glob("checkpoint-*") if (path / _STATE).is_file()]
    return str(max(done, key=lambda path: int(path.name.partition("-")[2]))) if done else None


def over_time(history: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Of every step, from the trainer's log: what the policy was given and what it did.

    Seconds are those of the step, with generation and reward.
    """
    steps = [entry for entry in history if "reward" in entry]
    taken = {
        "reward": "reward",
        "answers": ANSWERS,
        "steps": STEPS,
        "tokens": "completions/mean_length",
        "cut": "completions/clipped_ratio",
        "entropy": "entropy",
        "same_reward": "frac_reward_zero_std",
        "seconds": "step_time",
    }
    return {name: [round(float(entry[key]), 5) for entry in steps] for name, key in taken.items()} | {
        "unscored": [round(float(entry.get("visualprm_unscored", 0)), 5) for entry in steps]
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reward", choices=REWARDS)
    parser.add_argument("seed", type=int)
    parser.add_argument("settings", nargs="*", metavar="key=value", help="of the recipe")
    parser.add_argument("--out", type=Path, required=True, help="the policy's folder")
    parser.add_argument("--run", type=Path, required=True, help="a folder for checkpoints, of this training alone")
    parser.add_argument("--prm", help="what the reward model is known by, for the note")
    options = parser.parse_intermixed_args()
    train(options.reward, options.seed, Recipe.parse(options.settings), options.run, options.out, options.prm)


if __name__ == "__main__":
    with one_line_errors("rl.train", goes_on=True):
        main()
