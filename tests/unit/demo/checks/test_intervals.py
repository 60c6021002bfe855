"""Coverage of a model's intervals, with a model that says what the rows tell it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from demo.checks.intervals import judge, table
from pipeline.errors import UserError
from stages.reward.beta import StepScores
from stages.reward.model import Candidate

SURE = 8.0


class Model:
    """Takes a step's text for its mean."""

    name = "model"

    def __init__(self, counts: bool = True) -> None:
        self._counts = counts

    def score_many(self, candidates: Sequence[Candidate]) -> list[list[float]]:
        means = [[float(step) for step in one.steps] for one in candidates]
        return [StepScores(own, [SURE] * len(own)) for own in means] if self._counts else means


def rows(size: float) -> list[dict[str, Any]]:
    """Solutions whose steps' true shares come from Betas of this concentration."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(400):
        means = rng.uniform(0.1, 0.9, 5).round(3)
        hits = rng.binomial(16, rng.beta(means * size, (1 - means) * size))
        steps = [
            {"step": str(m), "num_mc_correct": int(k), "num_mc_total": 16} for m, k in zip(means, hits, strict=True)
        ]
        steps.append({"step": "0.5", "num_mc_correct": None, "num_mc_total": None})
        found.append({"id": f"{number:032x}/p/s0", "question": "?", "images": [], "steps_with_score": steps})
    return found


def test_the_other_half_says_the_factor_and_unmeasured_steps_do_not_count() -> None:
    judged = judge(Model(), iter(rows(SURE / 4)))  # type: ignore[arg-type]
    assert len(judged.k) == 2000
    assert judged.second.sum() == 1000
    text = table(judged)
    factor = float(text.split("other half: ")[1].split(";")[0])
    assert factor == pytest.approx(0.25, rel=0.2)
    as_it_is, scaled = (line.split(" | ") for line in text.splitlines() if "| 80%" in line)
    assert float(as_it_is[2].rstrip(" %")) < 70
    assert float(scaled[2].rstrip(" %")) == pytest.approx(80, abs=4)


def test_a_model_without_intervals_is_refused() -> None:
    with pytest.raises(UserError, match=r"target\.kind=counts"):
        judge(Model(counts=False), iter(rows(SURE)[:1]))  # type: ignore[arg-type]
