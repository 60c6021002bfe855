"""From responses to rewards: what all trainers share."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipeline.errors import RowError, UserError
from stages.reward.client import RewardClient
from stages.reward.outcomes import MODES_BY_DEFAULT, Outcomes
from stages.reward.scalars import SCALARS, Scalar, scalar
from stages.reward.server.wire import Scored

URL, REWARD, VERIFY, MAX_STEPS = (
    f"VISUALPRM_{name}" for name in ("REWARD_URL", "REWARD", "REWARD_VERIFY", "REWARD_MAX_STEPS")
)
"""Variables of the environment, for trainers that take a function by its file and name."""
_AT_ONCE = 16
"""Questions that are asked about at the same time."""


@dataclass(frozen=True, slots=True)
class Response:
    """A policy's response to a question. `gold` is the right answer; `correct` its verdict where that is known."""

    question: str
    images: tuple[bytes, ...]
    text: str
    gold: str | None = None
    correct: bool | None = None


@dataclass(frozen=True, slots=True)
class Reward:
    """`value` is what the trainer maximises; null where the response could not be scored, and `error` says why.

    `scored` has the steps with their characters and scores; `correct` the outcome, null where nobody judged it.
    """

    value: float | None
    scored: Scored | None = None
    correct: bool | None = None
    error: str | None = None


class Scores(Protocol):
    """What asks the reward model: `RewardClient`."""

    def score_many(
        self, question: str, images: Sequence[bytes], solutions: Sequence[Any], *, max_steps: int | None
    ) -> list[Scored | RowError]: ...


@dataclass(frozen=True)
class Rewarder:
    """Rewards of responses.

    `reward` is the scalar that they become (`stages/reward/scalars.py`); `verify` are the modes by which `ps_grpo`
    judges a response against its gold. Responses of one question are sent together, equal ones and
    its pictures once.
    """

    client: Scores
    reward: Scalar = "mean"
    verify: tuple[str, ...] = MODES_BY_DEFAULT
    max_steps: int | None = None
    _judges: list[Outcomes] = field(default_factory=list, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Rewarder:
        """By `VISUALPRM_REWARD_URL`, and `VISUALPRM_REWARD`, `…_VERIFY` (with commas) and `…_MAX_STEPS` if they are set.

        Raises:
            UserError: the address is missing, or a value can't be used.
        """
        if not (address := environment.get(URL)):
            raise UserError(f"{URL}: set it to the address of `visualprm serve`, such as http://127.0.0.1:8000")
        reward = environment.get(REWARD, "mean")
        if reward not in SCALARS:
            raise UserError(f"{REWARD}: {reward!r} is none of {', '.join(SCALARS)}")
        steps = environment.get(MAX_STEPS)
        if steps is not None and (not steps.isdecimal() or int(steps) < 1):
            raise UserError(f"{MAX_STEPS}: {steps!r} must be a number from 1 on")
        modes = tuple(filter(None, environment.get(VERIFY, "").split(","))) or MODES_BY_DEFAULT
        return cls(RewardClient(address), reward, modes, int(steps) if steps else None)

    def __call__(self, responses: Sequence[Response]) -> list[Reward]:
        """A reward for each, in order.

        Raises:
            UserError: the service can't be reached; or `ps_grpo` has neither gold nor verdict of a response.
        """
        correct = self._outcomes(responses) if self.reward == "ps_grpo" else [each.correct for each in responses]
        groups: dict[tuple[str, tuple[bytes, ...]], list[int]] = {}
        for index, each in enumerate(responses):
            groups.setdefault((each.question, each.images), []).append(index)
        found: list[Scored | RowError] = [RowError("not_asked")] * len(responses)

        def ask(group: tuple[tuple[str, tuple[bytes, ...]], list[int]]) -> None:
            (question, images), members = group
            # A policy that is sure repeats itself: what is the same is asked once.
            same: dict[str, list[int]] = {}
            for index in members:
                same.setdefault(responses[index].text, []).append(index)
            try:
                scored = self.client.score_many(question, images, list(same), max_steps=self.max_steps)
            except RowError as error:
                scored = [error] * len(same)
            for indices, own in zip(same.values(), scored, strict=True):
                for index in indices:
                    found[index] = own

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for _ in pool.map(ask, groups.items()):
                pass
        return [self._reward(own, right) for own, right in zip(found, correct, strict=True)]

    def _reward(self, found: Scored | RowError, correct: bool | None) -> Reward:
        if isinstance(found, RowError):
            return Reward(None, None, correct, str(found))
        if self.reward == "ps_grpo" and correct is None:
            return Reward(None, found, None, "unjudged: the verifier ran out of time or failed")
        return Reward(scalar(self.reward, found.judged, correct), found, correct)

    def _outcomes(self, responses: Sequence[Response]) -> list[bool | None]:
        asked = [index for index, each in enumerate(responses) if each.correct is None]
        golds = [responses[index].gold for index in asked]
        if None in golds:
            raise UserError(
                f"response {asked[golds.index(None)]}: ps_grpo needs its right answer or its verdict: give a column "
                "`answer`, `solution` or `ground_truth`, or `correct`"
            )
        found = [each.correct for each in responses]
        if asked:
            if not self._judges:
                self._judges.append(Outcomes(self.verify))
            texts = [
                (str(gold), responses[i].text, responses[i].question) for i, gold in zip(asked, golds, strict=True)
            ]
            for index, own in zip(asked, self._judges[0].all_correct(texts), strict=True):
                found[index] = own
        return found

    def close(self) -> None:
        """Ends the verifier's processes."""
        while self._judges:
            self._judges.pop().close()
