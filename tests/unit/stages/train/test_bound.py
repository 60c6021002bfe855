"""What a checkpoint is bound to: a training of anything else is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.settings import dump_settings
from stages.train import run as training
from stages.train.bound import check_settings
from stages.train.config import TrainConfig
from stages.train.labels import Labels
from stages.train.run import train
from tests import shards
from tests.families import POLICY
from tests.unit.stages.train.test_prepare import config


def test_what_a_step_is_made_of_stays_between_two_calls(tmp_path: Path) -> None:
    before = config(tmp_path, "data", ray__workers=2, ray__gpu=False)
    checkpoint = Path(before.run_dir) / "checkpoints/checkpoint-4"
    checkpoint.mkdir(parents=True)
    (checkpoint / "trainer_state.json").touch()
    (Path(before.run_dir) / "train.yaml").write_text(dump_settings(before))
    where = {"ray__address": "auto", "ray__failures": 9, "ray__gpu": True}
    labels = Labels(0.0, 0.0)
    check_settings(config(tmp_path, "data", ray__workers=2, **where), Path(before.run_dir), labels)
    with pytest.raises(
        UserError, match=r"run: holds checkpoints .* other settings: ray\.workers \(2, now 3\): restore"
    ):
        check_settings(config(tmp_path, "data", ray__workers=3, ray__gpu=False), Path(before.run_dir), labels)


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
