"""What a training reports of the held-out steps, on predictions written by hand."""

from __future__ import annotations

import numpy as np
import pytest
from transformers import EvalPrediction

from stages.train.samples import UNMEASURED
from stages.train.sureness import concentration_scale, coverage
from stages.train.trainer import count_metrics, step_metrics


def metrics(scores: list[list[float]], labels: list[list[int]], threshold: float = 0.5) -> dict[str, float]:
    return step_metrics(EvalPrediction(np.array(scores, dtype=np.float32), np.array(labels)), threshold)


def test_metrics_by_hand() -> None:
    found = metrics([[0.9, 0.8, 0.1], [0.6, 0.7, 0.5]], [[0, 0, UNMEASURED], [1, 1, 0]])
    # F1 of right: 2·2 / (2·2 + 1 + 2); of wrong: 0. Of the six pairs of a right and a wrong step four are in order.
    assert found == {
        "macro_f1": pytest.approx(4 / 7 / 2),
        "macro_f1_all_right": pytest.approx(6 / 8 / 2),
        "roc_auc": pytest.approx(4 / 6),
        "ece": pytest.approx((0.1 + 0.2 + 0.6 + 0.7 + 0.5) / 5),
        "right_share": pytest.approx(0.6),
        "steps": 5,
    }


def test_what_is_not_defined_is_left_out() -> None:
    assert metrics([[0.9, 1.0]], [[0, 0]]).keys() == {"ece", "right_share", "steps"}
    assert metrics([[0.2, -0.2]], [[0, 2]], threshold=0.0) == {
        "macro_f1": 1.0, "macro_f1_all_right": pytest.approx(1 / 3), "roc_auc": 1.0, "right_share": 0.5, "steps": 2.0,
    }  # fmt: skip


def test_metrics_of_counts_have_how_sure_the_model_may_be() -> None:
    means = np.array([[0.9, 0.2, -100.0], [0.8, 0.1, 0.5]], dtype=np.float32)
    sure = np.array([[5.0, 5.0, -100.0], [5.0, 5.0, 5.0]], dtype=np.float32)
    labels = np.array([[0, 1, UNMEASURED], [0, 1, UNMEASURED]])
    counts = np.array([[[16, 0], [2, 14], [-100, -100]], [[12, 4], [0, 16], [0, 0]]], dtype=np.float32)
    found = count_metrics(EvalPrediction(np.stack([means, sure], axis=-1), (labels, counts)), 0.5)
    known = [np.array(each) for each in ([0.9, 0.2, 0.8, 0.1], [5.0] * 4, [16.0, 2.0, 12.0, 0.0], [16.0] * 4)]
    scale = concentration_scale(*known)
    assert found["concentration_scale"] == pytest.approx(scale, rel=1e-3)
    assert found["coverage_80"] == pytest.approx(coverage(0.8, known[0], known[1] * scale, *known[2:]), rel=1e-3)
    assert found["steps"] == 4
    assert found["macro_f1"] == 1.0
    assert "coverage_95" in found
