"""The paired difference of two critics."""

from __future__ import annotations

import pytest

from stages.evaluate.compare import compare
from stages.evaluate.critic import Scores
from stages.evaluate.report import build
from stages.evaluate.threshold import Rule
from tests.unit.stages.evaluate.test_report import HALF, noisy


def test_the_difference_is_that_of_the_two_reports() -> None:
    samples, first = noisy(60, seed=1)
    # The second critic has no idea.
    second: list[Scores] = [[(7 * i + 3 * k) % 10 / 10 for k in range(6)] for i in range(60)]
    found = compare(samples, first, second, HALF, 200, 0)
    pooled = [build(samples, scores, HALF, 200, 0)["pooled"] for scores in (first, second)]
    for key in ("macro_f1", "auc"):
        assert found[key]["value"] == pytest.approx(pooled[0][key]["value"] - pooled[1][key]["value"])
        assert 0 < found[key]["low"] < found[key]["value"] < found[key]["high"]
        assert found[key]["p"] == pytest.approx(1 / 200)


def test_a_critic_does_not_differ_from_itself_and_pairing_sees_it() -> None:
    samples, scores = noisy(30)
    found = compare(samples, scores, scores, HALF, 50, 0)
    assert found["macro_f1"] == {"value": 0.0, "low": 0.0, "high": 0.0, "p": 1.0, "detectable": 0.0}


def test_steps_that_one_critic_left_out_count_for_neither() -> None:
    samples, scores = noisy(40)
    holes: list[Scores] = [[None, *row[1:]] for row in scores]
    found = compare(samples, scores, holes, HALF, 20, 0)
    assert found["macro_f1"]["value"] == 0
    assert found["steps"] == sum(label != 0 for one in samples for label in one.labels[1:])


def test_each_critic_has_its_own_tuned_threshold() -> None:
    samples, scores = noisy(80)
    shifted: list[Scores] = [[value / 2 for value in row if value is not None] for row in scores]
    found = compare(samples, scores, shifted, Rule.parse("tuned:0.4"), 20, 0)
    assert found["thresholds"][1] == pytest.approx(found["thresholds"][0] / 2)
    assert found["macro_f1"]["value"] == pytest.approx(0)
    assert found["samples"] < 80
