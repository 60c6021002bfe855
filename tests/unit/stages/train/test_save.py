"""What a reward model's card says of how it is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.train.save import model_card
from tests.unit.stages.reward.test_model import config


@pytest.mark.parametrize(
    ("changes", "said", "unsaid"),
    [
        ({}, ["every step is a user turn", "a score for each step", "scores each step in one"], ["as it was written"]),
        (
            {"first_turn": "{question}"},
            ["the solution as it was written", "at a step's last token", "a score for each step"],
            ["every step is a user turn", "placeholder"],
        ),
        (
            {"kind": "orm", "target": "outcome"},
            ["the whole response, the assistant's turn is the placeholder", "one score, of all steps together"],
            ["each step", "every step"],
        ),
        (
            {"kind": "orm", "target": "outcome", "first_turn": "{question}"},
            ["the assistant's turn the whole response", "at its last token", "one score, of all steps together"],
            ["each step", "every step", "placeholder"],
        ),
    ],
    ids=["turns", "inline", "outcome", "outcome inline"],
)
def test_the_card_describes_the_model_s_own_layout(changes: dict, said: list[str], unsaid: list[str]) -> None:
    card = " ".join(model_card(config(**changes), Path("outputs/x")).split())
    for text in said:
        assert text in card
    for text in unsaid:
        assert text not in card
