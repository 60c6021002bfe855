"""The trainings' configs: every file is valid, and a wrong key is one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import UserError
from stages.train.config import load_train_config

FILES = sorted(Path("configs").glob("train_*.yaml"))


def test_there_are_files() -> None:
    assert {file.name for file in FILES} >= {"train_demo.yaml", "train_8b.yaml"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_file_is_valid(file: Path) -> None:
    config = load_train_config(file)
    assert config.run_dir == f"runs/{config.name}"
    assert config.output_dir == f"outputs/{config.name}"
    assert config.model.system is None or Path(config.model.system).is_file()


def test_the_published_recipe_is_the_published_one() -> None:
    config = load_train_config("configs/train_8b.yaml")
    optim = config.optim
    assert (optim.epochs, optim.learning_rate, optim.warmup, optim.weight_decay) == (1, 1e-5, 0.05, 0.05)
    assert optim.betas == (0.9, 0.999)
    assert (config.target.kind, config.target.threshold, config.target.stop_at_first_error) == ("value", 0, False)
    assert optim.batch_size * optim.accumulate * config.ray.workers == 512


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optim.learning_rte=1", "optim.learning_rte: unknown key (did you mean 'learning_rate'?)"),
        ("data.held_out=1.5", "data.held_out: "),
        ("target.tolerance=0.1", "target.tolerance is for target.kind=advantage, not value"),
        (
            "loss.class_weights={bad: 2.0}",
            "loss.class_weights: 'bad' is not a label of target.kind=value: use '+', '-'",
        ),
        ("loss.class_weights={'-': 0}", "loss.class_weights: the weight of '-' is 0.0: give one above 0"),
        ("loss.class_weights={'-': .inf}", "loss.class_weights: the weight of '-' is inf: give one above 0"),
        ("output_dir=runs/demo_prm", "run_dir and output_dir are the same folder"),
    ],
)
def test_a_mistake_is_one_line(override: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        load_train_config("configs/train_demo.yaml", [override])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_outcome_model_takes_no_early_stop() -> None:
    with pytest.raises(UserError, match="a response is one step"):
        load_train_config("configs/train_demo.yaml", ["target.kind=outcome", "target.stop_at_first_error=true"])


def test_each_target_has_labels_of_its_own_to_weigh() -> None:
    words = ["target.kind=advantage", "loss.class_weights={'=': 0.5, '-': 2.0}"]
    assert load_train_config("configs/train_demo.yaml", words).loss.class_weights == {"=": 0.5, "-": 2.0}
    with pytest.raises(UserError, match=r"'=' is not a label of target\.kind=soft"):
        load_train_config("configs/train_demo.yaml", ["target.kind=soft", words[1]])
