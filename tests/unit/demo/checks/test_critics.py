"""The demo's table of critics: where right and wrong part."""

from typing import Any

import pytest

from demo.checks import critics
from stages.reward.config import PrmConfig
from stages.reward.model import Candidate


class Model:
    """Gives every solution the same scores."""

    def __init__(self, weights: dict[str, float], scores: list[float]) -> None:
        self.name, self._scores = "outputs/it", scores
        self.config = PrmConfig(kind="prm", target="value", label_weights=weights, first_turn="{question}{step}",
                                max_tokens=9, base_model="b", data_fingerprint="d")  # fmt: skip

    def score_many(self, candidates: list[Candidate]) -> list[list[float]]:
        return [self._scores for _ in candidates]


@pytest.mark.parametrize(
    ("weights", "scores"),
    [({"+": 1.0, "-": 0.0}, [0.9, 0.1]), ({"+": 1.0, "=": 0.0, "-": -1.0}, [0.2, -0.2])],
    ids=["value", "advantage"],
)
def test_scores_are_parted_in_the_middle_of_their_range(
    monkeypatch: pytest.MonkeyPatch, weights: dict[str, float], scores: list[float]
) -> None:
    monkeypatch.setattr(critics, "untrained", lambda model: model)
    solutions = critics.Solutions([Candidate("?", (), ("a", "b"))] * 3, [[True, False]] * 3)
    model: Any = Model(weights, scores)
    assert "| it | 1.000 | 1.000 |" in critics.table(solutions, [model])
