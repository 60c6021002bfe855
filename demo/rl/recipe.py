"""What every training has in common, and what a reward is called."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_type_hints

from pipeline.errors import UserError
from stages.reward.scalars import SCALARS

OUTCOME = "outcome"
"""The reward that needs no reward model: 1 for an answer that the verifier calls right, else 0."""
REWARDS = (OUTCOME, *SCALARS)


@dataclass(frozen=True)
class Recipe:
    """Settings of a GRPO training; what is not here is TRL's default (no KL term, rewards scaled by group, one update a batch)."""

    steps: int = 100
    prompts: int = 4
    """Problems in a step."""
    group: int = 4
    """Responses to each."""
    max_tokens: int = 96
    """Of a response; the start's are 34 long on average. Longer ones are cut and count as they are."""
    learning_rate: float = 1e-4
    """Of Adam; constant after `warmup` steps."""
    warmup: int = 5
    temperature: float = 1.0
    save_every: int = 20
    """Steps between checkpoints, which a training that was stopped goes on from."""

    @classmethod
    def parse(cls, words: Sequence[str]) -> Recipe:
        """From `key=value` words.

        Raises:
            UserError: a key or its value can't be used.
        """
        kinds = get_type_hints(cls)
        found = {}
        for word in words:
            key, sign, value = word.partition("=")
            if not sign or key not in kinds:
                raise UserError(f"{word}: is no setting of a training: give {', '.join(kinds)} as key=value")
            try:
                found[key] = kinds[key](value)
            except ValueError:
                raise UserError(f"{key}: {value!r} is no number") from None
            if not found[key] > 0 and key != "warmup":
                raise UserError(f"{key}: {value} must be above 0")
        if found.get("group") == 1:
            raise UserError("group: 1 must be 2 or more: rewards are compared within a group")
        return cls(**found)

    def words(self) -> list[str]:
        """As `parse` reads them."""
        return [f"{key}={value}" for key, value in dataclasses.asdict(self).items()]
