"""What a training's settings become for the trainer, without training."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import TrainingArguments

from stages.train.config import load_train_config
from stages.train.fit import training_arguments
from tests.unit.stages.train.test_prepare import config


def test_one_process_uses_one_of_several_gpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class OnFourGpus(TrainingArguments):
        def __post_init__(self) -> None:
            super().__post_init__()
            self._n_gpu = 4

    monkeypatch.setattr("transformers.TrainingArguments", OnFourGpus)
    settings = config(tmp_path, "data", optim__batch_size=8)
    arguments = training_arguments(settings, evaluate=False)
    assert isinstance(arguments, OnFourGpus)
    assert (arguments.n_gpu, arguments.train_batch_size, arguments.eval_batch_size) == (1, 8, 8)
    assert capsys.readouterr().err == "one of 4 GPUs is used: ray.workers=4 uses all\n"


def test_the_published_recipe_becomes_arguments_with_sharded_weights(tmp_path: Path) -> None:
    settings = load_train_config(
        "configs/train_8b.yaml", [f"run_dir={tmp_path}", "optim.bf16=false", "check.report_to=[]"]
    )
    arguments = training_arguments(settings, evaluate=True)
    assert arguments.fsdp_plugin_args["fsdp_version"] == 2
    assert arguments.fsdp_plugin_args["activation_checkpointing"] is True
    assert (arguments.train_batch_size, arguments.gradient_accumulation_steps) == (4, 16)
    assert (arguments.learning_rate, arguments.warmup_steps, arguments.eval_strategy) == (1e-5, 0.05, "steps")
