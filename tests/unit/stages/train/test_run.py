"""What a training's settings become, without training."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from transformers import TrainingArguments

from pipeline.errors import UserError
from pipeline.settings import dump_settings
from stages.train import run as training
from stages.train.config import TrainConfig, load_train_config
from stages.train.labels import Labels
from stages.train.run import _check_settings, _runtime_environment, train, training_arguments
from tests import shards
from tests.families import POLICY
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


def test_what_a_step_is_made_of_stays_between_two_calls(tmp_path: Path) -> None:
    before = config(tmp_path, "data", ray__workers=2, ray__gpu=False)
    checkpoint = Path(before.run_dir) / "checkpoints/checkpoint-4"
    checkpoint.mkdir(parents=True)
    (checkpoint / "trainer_state.json").touch()
    (Path(before.run_dir) / "train.yaml").write_text(dump_settings(before))
    where = {"ray__address": "auto", "ray__failures": 9, "ray__gpu": True}
    labels = Labels(0.0, 0.0)
    _check_settings(config(tmp_path, "data", ray__workers=2, **where), Path(before.run_dir), labels)
    with pytest.raises(
        UserError, match=r"run: holds checkpoints .* other settings: ray\.workers \(2, now 3\): restore"
    ):
        _check_settings(config(tmp_path, "data", ray__workers=3, ray__gpu=False), Path(before.run_dir), labels)


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainConfig:
    """A training with a checkpoint, of a base and a system text of its own; what would train does nothing."""
    for name in ("fit", "_result_summary"):
        monkeypatch.setattr(training, name, lambda *_: "")
    shutil.copytree(POLICY, tmp_path / "base")
    (tmp_path / "system.txt").write_text("Judge.")
    texts = {"model__base": str(tmp_path / "base"), "model__system": str(tmp_path / "system.txt")}
    settings = config(tmp_path, shards.write(tmp_path / "data", shards.solutions(4)), **texts)
    train(settings)
    checkpoint = Path(settings.run_dir) / "checkpoints/checkpoint-4"
    checkpoint.mkdir(parents=True)
    (checkpoint / "trainer_state.json").touch()
    train(settings)
    return settings


def test_a_checkpoint_of_another_base_is_refused(begun: TrainConfig) -> None:
    with (Path(begun.model.base) / "model.safetensors").open("ab") as file:
        file.write(b"trained again")
    with pytest.raises(UserError, match=r"run: holds checkpoints .* other weights: model\.base \(base@\w+, now base@"):
        train(begun)


def test_a_checkpoint_of_another_system_text_is_refused(begun: TrainConfig, tmp_path: Path) -> None:
    (tmp_path / "system.txt").write_text("Be kind.")
    with pytest.raises(UserError, match=r"run: holds checkpoints .* system text .*: model\.system \(samples-\w+, now"):
        train(begun)
    (tmp_path / "system.txt").write_text("Judge.")
    train(begun)


def test_a_checkpoint_of_which_less_was_noted_goes_on_when_the_user_says_so(begun: TrainConfig) -> None:
    path = Path(begun.run_dir) / "data.json"
    noted = json.loads(path.read_text())
    path.write_text(json.dumps({"fingerprint": noted["fingerprint"]}))
    with pytest.raises(
        UserError, match=r"data\.json: was written before .*, remove this file to resume; else set run_dir"
    ):
        train(begun)
    path.unlink()
    train(begun)
    assert json.loads(path.read_text()) == noted


def test_a_cluster_is_sent_the_code() -> None:
    from pipeline.cluster import own_modules

    assert _runtime_environment("auto")["py_modules"] == own_modules()
    assert "py_modules" not in _runtime_environment(None)


def test_the_published_recipe_becomes_arguments_with_sharded_weights(tmp_path: Path) -> None:
    settings = load_train_config(
        "configs/train_8b.yaml", [f"run_dir={tmp_path}", "optim.bf16=false", "check.report_to=[]"]
    )
    arguments = training_arguments(settings, evaluate=True)
    assert arguments.fsdp_plugin_args["fsdp_version"] == 2
    assert arguments.fsdp_plugin_args["activation_checkpointing"] is True
    assert (arguments.train_batch_size, arguments.gradient_accumulation_steps) == (4, 16)
    assert (arguments.learning_rate, arguments.warmup_steps, arguments.eval_strategy) == (1e-5, 0.05, "steps")
