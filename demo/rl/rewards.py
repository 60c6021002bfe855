"""The reward of a training, the verifier's outcome or the served PRM's scalar, with the oracle looking on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from demo.benchmark import problem
from demo.evaluate_policy import is_right
from demo.oracle import judge_steps
from demo.reasoning import STEP_SEPARATOR
from demo.rl.recipe import OUTCOME
from stages.reward.outcomes import Outcomes
from stages.rewards.columns import responses, text_of

Function = Callable[..., list[float | None]]
"""As TRL calls it: prompts, completions, and the columns of the dataset; None for a response that has no reward."""
NAME = "name"
"""The column with the benchmark's own id of a problem."""
ANSWERS, STEPS = "oracle/answers", "oracle/steps"
"""What the oracle says, by its name in TRL's log."""


class OutcomeReward:
    """1 for an answer that the verifier calls right, else 0; None where it can't say, which TRL leaves out."""

    def __init__(self, outcomes: Outcomes) -> None:
        self._outcomes = outcomes
        self.__name__ = OUTCOME

    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        asked = [(str(each.gold), each.text, each.question) for each in responses(prompts, completions, columns)]
        return [None if right is None else float(right) for right in self._outcomes.all_correct(asked)]


class Watched:
    """A reward, and beside it in TRL's log what the oracle says of the same responses, which the policy isn't told.

    The oracle is not a second reward of weight 0: TRL takes a response for scored that one of several functions scores,
    so one that the PRM could not score would be punished instead of left out.
    """

    def __init__(self, reward: Function, name: str) -> None:
        self._reward = reward
        self.__name__ = name

    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        for name, share in truth(columns[NAME], [text_of(each) for each in completions]).items():
            columns["log_metric"](name, share)
        return self._reward(prompts=prompts, completions=completions, **columns)


def truth(names: Sequence[str], texts: Sequence[str]) -> dict[str, float]:
    """Of responses to these problems of the benchmark: the share of right answers, and a response's mean share of right steps."""
    right, steps = 0, 0.0
    for name, text in zip(names, texts, strict=True):
        right += is_right(problem(name), text)
        judged = judge_steps(name, text.split(STEP_SEPARATOR))
        steps += sum(one.step_ok for one in judged) / len(judged)
    return {ANSWERS: right / len(texts), STEPS: steps / len(texts)}
