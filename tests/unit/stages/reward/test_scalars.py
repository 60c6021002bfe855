"""One reward from the scores of steps."""

from __future__ import annotations

import pytest

from stages.reward.scalars import Scalar, largest_drop, ps_grpo, scalar


@pytest.mark.parametrize(
    ("name", "value"), [("mean", 0.5), ("min", 0.2), ("last", 0.8), ("product", 0.08), ("ps_grpo", 0.5)]
)
def test_every_scalar(name: Scalar, value: float) -> None:
    assert scalar(name, [0.5, 0.2, 0.8], correct=True) == pytest.approx(value)


@pytest.mark.parametrize(
    ("scores", "drop"),
    [
        ([0.9], 0.0),
        ([0.5, 0.9], 0.0),
        ([0.8, 0.4], 0.5),
        ([0.9, 0.1, 0.9], 8 / 9),
        ([0.0, 0.0], 0.0),
        ([0, 1, 0.9], 0.1),
    ],
)
def test_a_drop_is_relative_to_the_step_before(scores: list[float], drop: float) -> None:
    assert largest_drop(scores) == pytest.approx(drop)


def test_ps_grpo_halves_the_reward_of_a_right_answer_whose_process_drops() -> None:
    assert [ps_grpo([1.0, 0.75], True), ps_grpo([1.0, 0.7], True), ps_grpo([1.0, 0.25], True)] == [1.0, 0.5, 0.5]
    assert [ps_grpo([1.0, 1.0], False), ps_grpo([1.0, 0.0], False)] == [0.0, 0.0]
    with pytest.raises(ValueError, match="verdict"):
        scalar("ps_grpo", [0.5])
