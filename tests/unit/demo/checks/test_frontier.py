"""What a reward model of a strategy is worth, which strategies share one, and what can't be compared."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from demo.checks.critics import Solutions
from demo.checks.frontier import frontier, labels_key, trained, worth
from pipeline.errors import StartError, UserError
from stages.metrics import Steps, auc, cells, macro_f1
from stages.reward.model import Candidate
from tests.shards import row, step, write


def test_the_worth_of_scores_is_that_of_the_metrics() -> None:
    rng = np.random.default_rng(0)
    candidates = [Candidate(f"What is {number // 2}?", (b"x",), ("a", "b", "c")) for number in range(80)]
    truths = [[bool(truth) for truth in rng.integers(2, size=3)] for _ in candidates]
    scored = [[0.3 * truth + 0.7 * rng.random() for truth in each] for each in truths]
    found = worth(Solutions(candidates, truths), scored)
    right, scores = np.concatenate(truths), np.concatenate(scored)
    assert found["macro_f1"] == pytest.approx(macro_f1(cells(Steps.of(right, scores), 0.5, 1)[0]))
    assert found["roc_auc"] == pytest.approx(auc(right, scores))
    low, high = found["macro_f1_interval"]
    assert 0.3 < low < found["macro_f1"] < high < 1
    assert (found["problems"], found["solutions"], found["steps"]) == (40, 80, 240)


def test_datasets_with_the_same_labels_share_a_model(tmp_path: Path) -> None:
    def key(name: str, k: int | None, n: int, *settings: str) -> str:
        return labels_key(Path(write(tmp_path / name, [row(0, 0, [step("a", 3), step("b", k, n)])])), settings)

    fixed = key("fixed", 5, 16)
    assert key("cheap", 1, 4) == fixed
    assert len({fixed, key("wrong", 0, 16), key("none", None, 16), key("fixed", 5, 16, "optim.epochs=1")}) == 4


@pytest.mark.parametrize(("status", "kind"), [(1, StartError), (-9, StartError), (130, StartError), (2, UserError)])
def test_a_training_that_ended_early_may_go_well_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, kind: type[Exception]
) -> None:
    monkeypatch.setattr("subprocess.run", lambda command: SimpleNamespace(returncode=status))
    with pytest.raises(kind, match=f"data: training ended with status {status}"):
        trained(Path(write(tmp_path / "data", [row(0, 0, [step("a", 3)])])), (), tmp_path)


def test_settings_that_change_what_is_compared_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"target\.kind=soft: the frontier is of labels at threshold 0"):
        frontier("runs/none", None, ["target.kind=soft"], tmp_path)
    with pytest.raises(UserError, match="no run is here"):
        frontier(str(tmp_path), None, ["optim.epochs=1"], tmp_path)
