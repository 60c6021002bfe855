"""What is said of responses to a problem of the demo, whose truth is known."""

from __future__ import annotations

import math

import pytest

from demo.benchmark import problem
from demo.reasoning import Read
from demo.rl.judging import Judged, measures, summary
from demo.rl.rewards import ANSWERS, STEPS, OutcomeReward, Watched, truth

NAME = "bars-38"


def solution(*, misread: bool = False) -> str:
    """A solution of bars-38: a × b + c; with the first number read wrong, and all that follows from it."""
    reads = [node for node in problem(NAME).plan.nodes if isinstance(node, Read)]
    (a, first), (b, second), (c, third) = ((node.key, int(str(node.value))) for node in reads)
    first += misread
    product = first * second
    total = product + third
    lines = [f"{a} = {first}.", f"{b} = {second}.", f"{first} × {second} = {product}.", f"{c} = {third}.",
             f"{product} + {third} = {total}.", f"Final answer: {total}"]  # fmt: skip
    return "\n\n".join(lines)


def judged(text: str, right: bool | None, scores: list[float] | None) -> Judged:
    scored = None if scores is None else (text.split("\n\n"), scores)
    return Judged.of(NAME, text, 30, True, 0.5, right, scored)


def test_a_wrong_reading_is_one_wrong_step_and_all_prefixes_from_it_on() -> None:
    one = judged(solution(misread=True), False, [0.9] * 6)
    assert one.steps_ok == (False, True, True, True, True, True)
    assert not any(one.prefixes_ok)
    found = measures(one)
    assert found["steps"] == pytest.approx(5 / 6)
    assert found["gap"] == pytest.approx(0.9)
    assert (found["liked"], found["liked_wrong"]) == (1, 1)
    assert found["wrong_way"] == 0, "the answer is wrong as well"


def test_a_right_answer_after_a_wrong_step_came_by_a_wrong_way() -> None:
    text = solution().replace(solution().split("\n\n")[0], solution(misread=True).split("\n\n")[0])
    found = measures(judged(text, True, [0.2] * 6))
    assert (found["right"], found["wrong_way"], found["only_verifier"]) == (1, 1, 0)
    assert measures(judged("Final answer: " + "x", True, [0.2]))["only_verifier"] == 1


def test_a_step_that_the_reward_model_does_not_judge_has_no_truth_beside_it() -> None:
    text = solution(misread=True)
    steps = text.split("\n\n")
    one = Judged.of(NAME, text, 30, True, 0.5, False, (steps, [None, 0.9, None, 0.8, None, 0.7]))
    assert one.scored_steps == (steps[1], steps[3], steps[5])
    assert one.scores == (0.9, 0.8, 0.7)
    assert one.scored_prefixes_ok == (False, False, False)
    assert Judged.of(NAME, text, 30, True, 0.5, False, (steps, [None] * 6)).scores is None


def test_what_was_not_measured_is_not_counted() -> None:
    found = measures(judged(solution(), None, None))
    assert all(math.isnan(found[name]) for name in ("right", "wrong_way", "score", "gap", "liked", "liked_wrong"))
    assert found["unscored"] == 1
    values = summary([[judged(solution(), None, None), judged(solution(), True, [0.9] * 6)]])["values"]
    assert values["right"] == [1]
    assert values["unscored"] == [0.5]
    assert values["any_right"] == [1]
    unknown = summary([[judged(solution(), None, None), judged(solution(), False, None)]])["values"]
    assert (unknown["score"], unknown["any_right"]) == ([None], [None])


def test_a_policy_is_summed_up_by_problem_with_what_was_liked_most_and_wrong() -> None:
    wrong, right = judged(solution(misread=True), False, [0.6] * 6), judged(solution(), True, [0.9] * 6)
    found = summary([[right, wrong, wrong, right]])
    assert found["problems"] == [NAME]
    assert found["draws"] == 4
    assert found["auc"] == 1
    assert found["values"]["right"] == [0.5]
    assert found["values"]["any_right"] == [1]
    assert [one["steps"] for one in found["liked_most"]] == [solution(misread=True).split("\n\n")]


def test_the_oracle_looks_on_and_changes_no_reward() -> None:
    asked: dict[str, float] = {}

    def reward(prompts: list, completions: list, **columns: object) -> list[float | None]:
        return [None, 0.25]

    texts = [solution(), solution(misread=True)]
    completions = [[{"role": "assistant", "content": text}] for text in texts]
    found = Watched(reward, "min")(["?", "?"], completions, name=[NAME, NAME], log_metric=asked.__setitem__)
    assert found == [None, 0.25]
    assert asked == truth([NAME, NAME], texts) == {ANSWERS: 0.5, STEPS: pytest.approx(11 / 12)}


def test_the_outcome_is_the_verifiers() -> None:
    class Outcomes:
        def all_correct(self, asked: list) -> list[bool | None]:
            assert asked == [
                ("24", "Final answer: 24", "how many?"),
                ("24", "25", "how many?"),
                ("24", "?", "how many?"),
            ]
            return [True, False, None]

    reward = OutcomeReward(Outcomes())  # type: ignore[arg-type]
    texts = ["Final answer: 24", "25", "?"]
    found = reward(["p"] * 3, texts, question=["how many?"] * 3, answer=["24"] * 3, log_metric=None)
    assert found == [1, 0, None]
