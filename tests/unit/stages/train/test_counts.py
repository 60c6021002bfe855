"""What is counted while samples are made."""

from __future__ import annotations

import pytest

from pipeline.errors import RowError
from stages.train.counts import Counts
from stages.train.samples import HELD_OUT, TRAIN, UNMEASURED, Sample


def sample(labels: list[int], weights: list[float]) -> Sample:
    slots = list(range(len(labels)))
    return Sample("p/k/s0", [7] * 9, slots, 12, [], labels, [(0.0, 0.0)] * len(labels), weights)


def test_only_measured_training_steps_enter_the_scale_and_the_weights_of_classes() -> None:
    counts = Counts(("+", "-"))
    counts.made(TRAIN, sample([0, UNMEASURED, 1], [0.5, 0.0, 0.5]), 2, None)
    counts.made(TRAIN, sample([0], [1.0]), 0, "Judge.")
    counts.made(TRAIN, sample([0], [1.0]), 0, "Judge.")
    counts.made(HELD_OUT, sample([1, 1], [0.5, 0.5]), 0, "Be kind.")
    # The two that are alike are written as one, of both their weights.
    for part, one in ((TRAIN, sample([0, UNMEASURED, 1], [0.5, 0.0, 0.5])), (TRAIN, sample([0], [2.0]))):
        counts.written(part, one)
    counts.written(HELD_OUT, sample([1, 1], [0.5, 0.5]))
    facts = counts.facts("balanced")
    assert facts["labels"] == {"+": 3, "-": 1}
    assert facts["class_weights"] == [4 / (2 * 3), 4 / (2 * 1)]
    assert facts["scale"] == pytest.approx(3 / (2.5 * 4 / 6 + 0.5 * 2))
    assert facts["counts"][TRAIN] == {"samples": 3, "distinct": 2, "steps": 5, "tokens": 36}
    assert facts["counts"][HELD_OUT] == {"samples": 1, "distinct": 1, "steps": 2, "tokens": 12}
    assert (facts["system"], facts["system_turns"]) == ("Judge.", [2, 1])
    assert facts["left_out"] == {"steps_too_long": 2}


def test_a_reason_keeps_its_first_example() -> None:
    counts = Counts(("+", "-"))
    counts.refused("a", RowError("no_step", "the solution has no step"))
    counts.refused("b", RowError("no_step", "none here either"))
    assert counts.left_out == {"no_step": 2}
    assert counts.reasons == "no_step (a: the solution has no step)"
