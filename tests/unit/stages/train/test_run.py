"""What the command says and hands on, without training."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from stages.train import run as training
from stages.train.config import TrainConfig
from stages.train.run import _data_summary, train
from tests.families import POLICY
from tests.unit.stages.train.test_labels import dataset
from tests.unit.stages.train.test_prepare import config


def test_the_models_folder_says_which_threshold_was_learnt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stated: list[TrainConfig] = []
    monkeypatch.setattr(training, "fit", lambda config, prepared, given, _: stated.append(given))
    monkeypatch.setattr(training, "_result_summary", lambda *_: "")
    path = dataset(tmp_path, 0.25)
    train(config(tmp_path, path, model__base=str(POLICY)))
    assert [each.target.threshold for each in stated] == [0.25]
    assert "labels:" not in capsys.readouterr().out
    train(config(tmp_path, path, model__base=str(POLICY), target__threshold=0.0))
    assert capsys.readouterr().out.startswith("target.threshold=0: 3 of 12 labels change; ")


def test_what_will_be_trained_on_is_told() -> None:
    counts = {"samples": 1200, "distinct": 1100, "steps": 7000, "tokens": 90000}
    facts = {
        "counts": {"train": counts, "held_out": {}},
        "labels": {"+": 6000, "-": 1000},
        "system_turns": [1000, 200],
        "left_out": {"no_step": 2},
        "examples": {"no_step": "p/k/s0: the solution has no step"},
    }
    assert _data_summary(cast(Any, SimpleNamespace(facts=facts))).splitlines() == [
        "train: 1,200 solutions (1,100 distinct), 7,000 steps, 90,000 tokens",
        "training steps by label: + 6,000, - 1,000",
        "2 system turns; scoring will use that of 1,000 of 1,200 solutions",
        "left out: no_step 2",
        "  no_step, for example p/k/s0: the solution has no step",
    ]
