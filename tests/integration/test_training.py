"""Trainings of real, small models: they learn, go on exactly where they were, and leave what others can load."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from transformers import TrainerCallback

from pipeline.errors import UserError
from stages.reward.config import PrmConfig
from stages.reward.model import ProcessRewardModel
from stages.train import fit as training
from stages.train.config import TrainConfig, load_train_config
from stages.train.fit import fit, make_layout, make_trainer
from stages.train.on_ray import ray_worker, worker_settings
from stages.train.prepare import Prepared, prepare
from stages.train.run import train
from tests import shards
from tests.families import family
from tests.waiting import wait_until

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random InternVL of two layers."""
    return base("internvl", tmp_path_factory.mktemp("tiny"))


def base(name: str, folder: Path) -> str:
    model, processor = family(name)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return str(folder)


def config(folder: Path, model: str, rows: list[dict[str, Any]], **changes: Any) -> TrainConfig:
    settings: dict[str, Any] = {"name": "t", "run_dir": str(folder / "run"), "output_dir": str(folder / "out")}
    settings |= {
        "data": {"path": shards.write(folder / "data", rows), "held_out": 0.0},
        "model": {"base": model, "output_dtype": "float32", "attention": "eager"},
        "optim": {"loader_workers": 0, "batch_size": 4, "learning_rate": 3e-3, "weight_decay": 0.0},
        "check": {"log_every": 1, "report_to": []},
    }
    for key, value in changes.items():
        group, _, name = key.partition("__")
        settings.setdefault(group, {})[name] = value
    return TrainConfig.model_validate(settings)


def prepared(settings: TrainConfig) -> Prepared:
    from stages.train.base_model import load_processor

    return prepare(settings, load_processor(settings.model), make_layout(settings))


def losses(trainer: Any) -> dict[int, float]:
    return {entry["step"]: entry["loss"] for entry in trainer.state.log_history if "loss" in entry}


class StopBelow(TrainerCallback):
    def __init__(self, loss: float) -> None:
        self.loss = loss

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        control.should_training_stop |= logs.get("loss", self.loss) < self.loss


@pytest.mark.parametrize(
    "name", ["demo", "internvl", *(pytest.param(name, marks=pytest.mark.more) for name in ("qwen2_5_vl", "qwen3_vl"))]
)
def test_one_batch_is_learnt_by_heart(tmp_path: Path, name: str) -> None:
    model = "demo/policy" if name == "demo" else base(name, tmp_path / "base")
    settings = config(tmp_path, model, shards.solutions(4, 1), optim__epochs=80)
    trainer = make_trainer(settings, prepared(settings))
    trainer.add_callback(StopBelow(0.01))
    trainer.train()
    assert min(losses(trainer).values()) < 0.01


@pytest.mark.parametrize("kind", ["advantage", "soft", "counts", "outcome"])
def test_every_target_lowers_its_loss(tmp_path: Path, tiny: str, kind: str) -> None:
    settings = config(tmp_path, tiny, shards.solutions(4, 2), target__kind=kind, optim__epochs=10)
    trainer = make_trainer(settings, prepared(settings))
    trainer.train()
    found = losses(trainer)
    assert found[max(found)] < found[1]


def test_the_folder_gives_the_scores_that_training_saw(tmp_path: Path, tiny: str) -> None:
    rows = shards.solutions(12, 2)
    settings = config(tmp_path, tiny, rows, data__held_out=0.4, optim__epochs=2)
    data = prepared(settings)
    trainer = make_trainer(settings, data)
    trainer.train()
    predicted = trainer.predict(data.held_out)
    fit(settings, data)
    model = ProcessRewardModel.from_pretrained(settings.output_dir)
    by_id = {row["id"]: row for row in rows}
    for index, name in enumerate(data.held_out.ids):
        row = by_id[name]
        texts = [step["step"] for step in row["steps_with_score"]]
        scores = model.score(row["question"], [image["bytes"] for image in row["images"]], texts)
        order = trainer._get_eval_sampler(data.held_out).index(index)
        assert scores == pytest.approx(predicted.predictions[order][: len(scores)].tolist(), abs=1e-5)
    described = PrmConfig.load(Path(settings.output_dir))
    assert described.metrics.keys() >= {"loss", "macro_f1", "ece"}
    assert described.data_fingerprint == data.fingerprint
    assert described.training["optim"]["epochs"] == 2
    card = (Path(settings.output_dir) / "README.md").read_text()
    assert "process-reward-model" in card
    assert f"{described.metrics['macro_f1']:.4f}" in card


class KillAt(TrainerCallback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_training_goes_on_as_if_nothing_had_happened(tmp_path: Path, tiny: str) -> None:
    changes: dict[str, Any] = {"optim__epochs": 3, "check__save_every": 4, "optim__args": {"optim": "adamw_torch"}}
    rows = shards.solutions(10, 2)
    whole = config(tmp_path / "whole", tiny, rows, **changes)
    trainer = make_trainer(whole, prepared(whole))
    trainer.train()
    expected = losses(trainer)
    assert len(expected) == 15

    cut = config(tmp_path / "cut", tiny, rows, **changes)
    data = prepared(cut)

    def until_killed() -> None:
        doomed = make_trainer(cut, data)
        doomed.add_callback(KillAt(10))
        doomed.train()

    process = multiprocessing.get_context("fork").Process(target=until_killed)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    checkpoints = Path(cut.run_dir) / "checkpoints"
    assert max(checkpoints.iterdir(), key=lambda path: int(path.name.split("-")[1])).name == "checkpoint-8"
    resumed = make_trainer(cut, data)
    resumed.train(resume_from_checkpoint=str(checkpoints / "checkpoint-8"))
    found = losses(resumed)
    assert found.keys() == expected.keys()
    for step in range(9, 16):
        assert found[step] == pytest.approx(expected[step], abs=1e-6), step


class StopAt(TrainerCallback):
    """Signals this process's whole group in a step or in its evaluation, as a cluster's scheduler does."""

    def __init__(self, step: int, evaluating: bool) -> None:
        self.step = step
        self.evaluating = evaluating

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if not self.evaluating and state.global_step == self.step - 1:
            stop_group()

    def on_prediction_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.evaluating and state.global_step == self.step:
            stop_group()


def stop_group() -> None:
    subprocess.run(["kill", "-TERM", "--", f"-{os.getpgid(0)}"], start_new_session=True, check=True)


@pytest.mark.parametrize("evaluating", [False, True], ids=["between evaluations", "in an evaluation"])
def test_a_stopped_training_loses_no_step(tmp_path: Path, tiny: str, evaluating: bool) -> None:
    """With a process that loads data, which the signal reaches, too."""
    changes: dict[str, Any] = {"data__held_out": 0.3, "check__evaluate_every": 3, "optim__loader_workers": 1}
    rows = shards.solutions(12, 2)
    whole = config(tmp_path / "whole", tiny, rows, **changes, optim__epochs=2)
    train(whole)
    cut = config(tmp_path / "cut", tiny, rows, **changes, optim__epochs=2)

    def until_stopped() -> None:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # As the command line has it.
        make = training.make_trainer

        def doomed(*arguments: Any) -> Any:
            trainer = make(*arguments)
            trainer.add_callback(StopAt(3 if evaluating else 2, evaluating))
            return trainer

        pytest.MonkeyPatch().setattr(training, "make_trainer", doomed)
        try:
            train(cut)
        except KeyboardInterrupt:
            os._exit(130)

    process = multiprocessing.get_context("fork").Process(target=until_stopped)
    process.start()
    process.join(300)
    assert process.exitcode == 130
    assert not Path(cut.output_dir).exists()
    checkpoints = Path(cut.run_dir) / "checkpoints"
    assert [path.name for path in checkpoints.iterdir()] == [f"checkpoint-{3 if evaluating else 2}"]
    train(cut)
    one, two = (Path(each.output_dir, "model.safetensors").read_bytes() for each in (whole, cut))
    assert one == two


def test_a_checkpoint_is_written_after_some_minutes(tmp_path: Path, tiny: str) -> None:
    settings = config(tmp_path, tiny, shards.solutions(8, 2), check__save_minutes=1e-9, check__keep=9)
    make_trainer(settings, prepared(settings)).train()
    found = {path.name for path in (Path(settings.run_dir) / "checkpoints").iterdir()}
    assert found == {f"checkpoint-{step}" for step in range(1, 5)}


def test_a_damaged_checkpoint_costs_its_steps_and_no_more(
    tmp_path: Path, tiny: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = config(tmp_path, tiny, shards.solutions(8, 2), check__save_every=2)
    train(settings)
    model = Path(settings.output_dir, "model.safetensors")
    expected = model.read_bytes()
    checkpoints = Path(settings.run_dir) / "checkpoints"
    (checkpoints / "checkpoint-4/optimizer.pt").unlink()
    capsys.readouterr()
    train(settings)
    assert (
        "resuming from checkpoint-2 (checkpoint-4 can't be used: optimizer.pt is missing)\n" in capsys.readouterr().err
    )
    assert model.read_bytes() == expected
    for path in checkpoints.glob("*/optimizer.pt"):
        path.unlink()
    with pytest.raises(UserError, match=r"checkpoint-4 can't be used: optimizer\.pt is missing; checkpoint-2 can't"):
        train(settings)


def test_a_training_of_new_layers_goes_on_where_it_was(tmp_path: Path, tiny: str) -> None:
    changes: dict[str, Any] = {"model__new_layers": 1, "check__save_every": 2, "optim__args": {"optim": "adamw_torch"}}
    settings = config(tmp_path, tiny, shards.solutions(8, 2), **changes)
    data = prepared(settings)
    whole = make_trainer(settings, data)
    whole.train()
    expected = losses(whole)
    assert max(expected) == 4
    resumed = make_trainer(settings, data)
    resumed.train(resume_from_checkpoint=str(Path(settings.run_dir) / "checkpoints/checkpoint-2"))
    assert losses(resumed) == pytest.approx(expected, abs=1e-6)


def test_other_data_or_settings_are_refused(tmp_path: Path, tiny: str) -> None:
    rows = shards.solutions(4)
    train(config(tmp_path, tiny, rows, check__save_every=1))
    train(config(tmp_path, tiny, rows, check__save_every=1))
    with pytest.raises(
        UserError,
        match=r"run: holds checkpoints of .* other settings: optim\.learning_rate \(0\.003, now 0\.1\): restore",
    ):
        train(config(tmp_path, tiny, rows, optim__learning_rate=0.1))
    with pytest.raises(UserError, match=r"run: holds checkpoints of other data: data\.path \(\w+, now \w+\): restore"):
        train(config(tmp_path, tiny, rows[1:]))


def test_a_loss_that_is_not_finite_stops_and_says_where(tmp_path: Path, tiny: str) -> None:
    settings = config(tmp_path, tiny, shards.solutions(4), optim__learning_rate=1e35, optim__epochs=20, optim__warmup=0)
    with pytest.raises(
        UserError, match=r"the loss isn't finite at optimiser step \d+, sample \w{32}/policy/s\d step \d"
    ):
        fit(settings, prepared(settings))


def test_adapters_a_frozen_tower_and_checkpointed_activations(tmp_path: Path, tiny: str) -> None:
    settings = config(
        tmp_path, tiny, shards.solutions(4), model__lora={"rank": 2},
        model__frozen=["vision_tower"], optim__gradient_checkpointing=True, optim__epochs=2,
    )  # fmt: skip
    fit(settings, prepared(settings))
    from transformers import AutoModelForImageTextToText

    before = AutoModelForImageTextToText.from_pretrained(tiny).state_dict()
    after = AutoModelForImageTextToText.from_pretrained(settings.output_dir).state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert any("language_model" in name and "_proj" in name for name in changed)
    assert not any("vision_tower" in name for name in changed)
    with pytest.raises(UserError, match=r"model\.frozen: 'eyes' is not a part of this model"):
        fit(config(tmp_path, tiny, shards.solutions(4), model__frozen=["eyes"]), prepared(settings))


def test_the_demos_own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """New layers, the solution in one turn, bf16, a loader's process and TensorBoard: all that `make train` uses."""
    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    data = shards.write(tmp_path / "data", shards.solutions(20, 4))
    overrides = {"data.path": data, "run_dir": tmp_path / "run", "output_dir": tmp_path / "out"}
    words = [f"{key}={value}" for key, value in overrides.items()]
    settings = load_train_config("configs/train_demo.yaml", [*words, "optim.args.max_steps=2", "check.log_every=1"])
    train(settings)
    assert list((tmp_path / "run/logs").glob("events.*"))
    described = PrmConfig.load(tmp_path / "out")
    assert described.metrics["steps"]
    model = ProcessRewardModel.from_pretrained(settings.output_dir)
    assert model._model.config.get_text_config().num_hidden_layers == 4 + settings.model.new_layers
    one, two = model.score("What is 1?", [shards.picture(1)], ["good step", "bad step"])
    assert 0 < one < 1
    assert 0 < two < 1


def test_a_worker_needs_nothing_of_the_drivers_folder(
    tmp_path: Path, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    (home / "base").symlink_to(tiny)
    monkeypatch.chdir(home)
    Path("system.txt").write_text("Judge.")
    settings = config(Path(), "base", shards.solutions(4), model__system="system.txt")
    given = worker_settings(settings, prepared(settings), settings)
    Path("system.txt").unlink()
    shutil.rmtree("data")
    monkeypatch.chdir(elsewhere)
    ray_worker(given)
    assert not list(elsewhere.iterdir())
    described = PrmConfig.load(home / "out")
    assert (described.system, described.training["model"]["base"]) == ("Judge.", "base")
    assert described.base_model.startswith("base@")


def test_two_workers_train_together_on_ray(tmp_path: Path, tiny: str) -> None:
    settings = config(
        tmp_path, tiny, shards.solutions(8, 2), data__held_out=0.3, ray__workers=2, ray__gpu=False, optim__batch_size=2,
        optim__epochs=2, check__save_every=2,
    )  # fmt: skip
    train(settings)
    data = prepared(settings)
    states = sorted((Path(settings.run_dir) / "checkpoints").glob("*/trainer_state.json"))
    state = json.loads(states[-1].read_text())
    # An epoch: all samples in batches of two, two batches a step.
    assert state["max_steps"] == 2 * -(-len(data.train) // 4)
    assert PrmConfig.load(Path(settings.output_dir)).metrics["steps"] == sum(
        label >= 0 for sample in data.held_out for label in sample.labels
    )
    model = ProcessRewardModel.from_pretrained(settings.output_dir)
    assert len(model.score("?", [], ["a", "b"])) == 2


def name_of(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""


@pytest.mark.more
def test_a_killed_worker_costs_no_step(tmp_path: Path, tiny: str) -> None:
    settings = config(
        tmp_path, tiny, shards.solutions(8, 2), ray__workers=2, ray__gpu=False, optim__batch_size=2, optim__epochs=20,
        check__save_every=5,
    )  # fmt: skip
    checkpoints = Path(settings.run_dir) / "checkpoints"
    killed: list[psutil.Process] = []

    def kill_one() -> None:
        wait_until(lambda: list(checkpoints.glob("*/trainer_state.json")))
        named = ((each, name_of(each)) for each in psutil.Process().children(recursive=True))
        killed.append(next(each for each, name in named if "RayTrainWorker" in name))
        killed[0].kill()

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    train(settings)
    killer.join(60)
    assert len(killed) == 1
    last = max(checkpoints.iterdir(), key=lambda path: int(path.name.split("-")[1]))
    state = json.loads((last / "trainer_state.json").read_text())
    steps = 20 * -(-len(prepared(settings).train) // 4)
    assert [entry["step"] for entry in state["log_history"] if "loss" in entry] == list(range(1, steps + 1))


@pytest.mark.more
def test_stopped_workers_lose_no_step(tmp_path: Path, tiny: str) -> None:
    changes: dict[str, Any] = {
        "ray__workers": 2, "ray__gpu": False, "optim__batch_size": 2, "optim__epochs": 20, "check__save_every": 5,
    }  # fmt: skip
    settings = config(tmp_path, tiny, shards.solutions(8, 2), **changes)
    checkpoints = Path(settings.run_dir) / "checkpoints"

    def stop() -> None:
        wait_until(lambda: list(checkpoints.glob("*/trainer_state.json")))
        os.kill(os.getpid(), signal.SIGTERM)

    stopper = threading.Thread(target=stop, daemon=True)
    stopper.start()
    with pytest.raises(KeyboardInterrupt):
        train(settings)
    stopper.join(60)
    assert not Path(settings.output_dir).exists()
    steps = 20 * -(-len(prepared(settings).train) // 4)
    last = max(int(path.name.split("-")[1]) for path in checkpoints.iterdir())
    assert last < steps
    assert not (Path(settings.run_dir) / "stop").exists()
    train(settings)
    state = json.loads((checkpoints / f"checkpoint-{steps}/trainer_state.json").read_text())
    assert [entry["step"] for entry in state["log_history"] if "loss" in entry] == list(range(1, steps + 1))
