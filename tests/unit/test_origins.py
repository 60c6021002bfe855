"""What version 0.1.0 noted of a folder's making (tests/golden/origins) is accepted, and compared like what is noted now."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import RunConfig, parse_config
from pipeline.errors import UserError
from pipeline.store import Store
from stages.annotate.settings_lock import lock_settings, with_number_type
from stages.best_of_n.critics import CriticSpec
from stages.best_of_n.scores import _begin as begin_scores
from stages.best_of_n.search import SearchSettings
from stages.best_of_n.search import _begin as begin_search
from stages.evaluate.critic import Judged
from stages.evaluate.score_log import ScoreLog
from stages.train.bound import check_settings
from stages.train.config import TrainConfig
from stages.train.labels import Labels
from tests.places import GOLDEN


def old(folder: Path, *names: str) -> Store:
    """A folder with these files, as the old version wrote them."""
    for name in names:
        shutil.copy(GOLDEN / "origins" / name, folder)
    return Store(str(folder))


def run_config(*overrides: str) -> RunConfig:
    data = {"name": "x", "prompt": "prompts/demo_v1.txt", "sources": [{"name": "a", "path": "rows.jsonl"}]}
    return parse_config(data, overrides)


def test_a_run(tmp_path: Path) -> None:
    store = old(tmp_path, "config.yaml", "ledger.json")
    store.write_json("problems.json", {})
    before = store.read_text("ledger.json")
    # The version that wrote it had bfloat16 by default.
    lock_settings(store, with_number_type(run_config(), store), {"p": "{question}"}, "model@1")
    assert store.read_text("ledger.json") == before
    changed = with_number_type(run_config("rollout.num_draws=8"), store)
    with pytest.raises(UserError, match=r"made with other settings: rollout\.num_draws \(16, now 8\): restore"):
        lock_settings(store, changed, {"p": "{question}"}, "model@1")


def train_config(**changes: Any) -> TrainConfig:
    settings = {"name": "x", "run_dir": "run", "output_dir": "out", "data": {"path": "data"}, "model": {"base": "base"}}
    return TrainConfig.model_validate({**settings, **changes})


@pytest.mark.parametrize("lacks", [None, "model.new_layers", "optim.max_grad_norm"])
def test_a_training(tmp_path: Path, lacks: str | None) -> None:
    old(tmp_path, "train.yaml")
    path = tmp_path / "train.yaml"
    if lacks:  # As if it was written before there was such a setting.
        path.write_text("".join(line for line in path.open() if not line.strip().startswith(lacks.split(".")[1] + ":")))
    state = tmp_path / "checkpoints/checkpoint-4/trainer_state.json"
    state.parent.mkdir(parents=True)
    state.touch()
    check_settings(train_config(), tmp_path, Labels(0.0, 0.0))
    with pytest.raises(
        UserError, match=r"other settings: optim\.learning_rate \(1e-05, now 0\.1\), seed \(0, now 1\): "
    ):
        check_settings(train_config(seed=1, optim={"learning_rate": 0.1}), tmp_path, Labels(0.0, 0.0))


def test_scores_of_a_pool(tmp_path: Path) -> None:
    store, pool = old(tmp_path, "critic.json"), Held("abc" * 20)
    (tmp_path / "parts").mkdir()
    begin_scores(store, pool, CriticSpec("prm", "/m/prm", "prm@1", False, 0.0, 1.0))  # type: ignore[arg-type]
    assert (tmp_path / "parts").is_dir()
    with pytest.raises(
        UserError, match=r"another model: path \(/m/prm, now /m/new\): give it another name by NAME=PATH"
    ):
        begin_scores(store, pool, CriticSpec("prm", "/m/new", "prm@2", False, 0.0, 1.0))  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"scores of another pool: pool \(abc\w+\.\.\., now 0\): remove that folder"):
        begin_scores(store, Held("0"), CriticSpec("prm", "/m/prm", "prm@1", False, 0.0, 1.0))  # type: ignore[arg-type]


class Held:
    """A pool, of which only its hash is asked."""

    def __init__(self, hash: str) -> None:
        self.hash = hash


def test_a_search(tmp_path: Path) -> None:
    store, critic = old(tmp_path, "search.json"), CriticSpec("prm", "/m/prm", "prm@1", False, 0.0, 1.0)
    config = run_config("engine.dtype=bfloat16")
    begin_search(store, config, "model@1", critic, SearchSettings())
    with pytest.raises(
        UserError, match=r"holds a search with other settings or models: .*: name another folder by --out"
    ):
        begin_search(store, config, "model@1", critic, SearchSettings(beams=2))


def test_a_log_of_scores(tmp_path: Path) -> None:
    old(tmp_path, "scores.part.json")
    log = ScoreLog(tmp_path / "scores.part.json", "this")
    assert log.judged == [Judged([0.5, None], Counter(bad_image=1)), Judged([0.25])]
    log.add([Judged([1.0])])
    held = json.loads((GOLDEN / "origins/scores.part.json").read_text())
    now = json.loads((tmp_path / "scores.part.json").read_text())
    assert now == {**held, "judged": [*held["judged"], [[1.0], {}]]}
