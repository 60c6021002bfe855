"""Responses to rewards, with the service in this process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pipeline.errors import RowError, UserError
from stages.reward.model import Candidate
from stages.reward.server.app import scored
from stages.reward.server.wire import Scored
from stages.rewards.rewarder import MAX_STEPS, REWARD, URL, VERIFY, Response, Rewarder
from stages.split import split
from tests.unit.stages.reward.test_collate import IMAGES


class Lengths:
    """Scores a step by its length; notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, int]] = []

    def score_many(
        self, question: str, images: Sequence[bytes], solutions: Sequence[Any], *, max_steps: int | None
    ) -> list[Scored | RowError]:
        self.asked.append((question, len(images), len(solutions)))
        if question == "bad image":
            raise RowError("bad_image", "no image")
        found: list[Scored | RowError] = []
        for text in solutions:
            steps = split(text, max_steps)
            found.append(
                scored(Candidate("?", (), tuple(steps), text), [len(step) / 100 for step in steps])
                if text
                else RowError("empty_step", "empty")
            )
        return found


def test_responses_of_a_question_go_together_and_come_back_in_order() -> None:
    service = Lengths()
    images = (IMAGES[0],)
    responses = [
        Response("one", images, "xx\n\nxxxx"),
        Response("two", (), "x"),
        Response("one", images, ""),
        Response("one", images, "x\n\nxxx"),
        Response("bad image", images, "x"),
    ]
    found = Rewarder(service, "min")(responses)
    assert [each.value for each in found] == [0.02, 0.01, None, 0.01, None]
    assert [each.error for each in found] == [None, None, "empty_step: empty", None, "bad_image: no image"]
    assert sorted(service.asked) == [("bad image", 1, 1), ("one", 1, 3), ("two", 0, 1)]
    assert found[0].scored is not None
    assert found[0].scored.spans == [(0, 2), (4, 8)]


def test_equal_responses_are_asked_once_and_all_have_their_reward() -> None:
    service = Lengths()
    texts = ["xx", "xxx", "xx", "", "xx", ""]
    found = Rewarder(service, "mean")([Response("one", (), text) for text in texts])
    assert [each.value for each in found] == [0.02, 0.03, 0.02, None, 0.02, None]
    assert service.asked == [("one", 0, 3)]


def test_ps_grpo_takes_the_verdict_that_is_given_or_the_verifiers() -> None:
    rewarder = Rewarder(Lengths(), "ps_grpo", ("number",))
    falling = "x" * 40 + "\n\nFinal answer: 3"
    found = rewarder(
        [
            Response("?", (), "x\n\nFinal answer: 3", gold="3"),
            Response("?", (), falling, gold="3"),
            Response("?", (), falling, gold="4"),
            Response("?", (), falling, gold="4", correct=True),
        ]
    )
    assert [each.value for each in found] == [1.0, 0.5, 0.0, 0.5]
    assert [each.correct for each in found] == [True, True, False, True]
    with pytest.raises(UserError, match="response 1: ps_grpo needs"):
        rewarder([Response("?", (), "x", gold="3"), Response("?", (), "x")])
    rewarder.close()


def test_what_the_verifier_cannot_say_is_no_reward() -> None:
    class Silent:
        def all_correct(self, asked: Sequence[Any]) -> list[bool | None]:
            return [None] * len(asked)

    rewarder = Rewarder(Lengths(), "ps_grpo")
    rewarder._judges.append(Silent())  # type: ignore[arg-type]
    (found,) = rewarder([Response("?", (), "x", gold="3")])
    assert (found.value, found.correct) == (None, None)
    assert "unjudged" in str(found.error)


def test_the_environment_names_the_service() -> None:
    made = Rewarder.from_environment({URL: "http://x", REWARD: "min", VERIFY: "number,math", MAX_STEPS: "5"})
    assert (made.reward, made.verify, made.max_steps) == ("min", ("number", "math"), 5)
    assert Rewarder.from_environment({URL: "http://x"}).reward == "mean"
    for environment, says in (
        ({}, URL), ({URL: "http://x", REWARD: "best"}, "'best' is none of"), ({URL: "http://x", MAX_STEPS: "0"}, "from 1"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=says):
            Rewarder.from_environment(environment)
