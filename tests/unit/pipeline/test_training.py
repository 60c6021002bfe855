"""What a training's settings become, without training."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import TrainingArguments

from pipeline.training import training_arguments
from tests.unit.pipeline.test_preparation import config


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
