"""What the policy is shown."""

import asyncio

import pytest

from pipeline.config import EngineConfig, SamplingConfig
from pipeline.engine import Completion, Prompt
from pipeline.engine.scripted import ScriptedEngine
from pipeline.records import Problem
from stages.annotate.sample import Template, sample, user_turn


def problem(question: str, options: tuple[str, ...] = ()) -> Problem:
    return Problem("p", "s", "r", question, "B", (), options, ("choice",), 1, "")


@pytest.mark.parametrize(
    ("question", "options", "turn"),
    [
        ("How many?", (), "Q: How many?!"),
        ("How many?", ("3", "4"), "Q: How many?\nA. 3\nB. 4!"),
        ("How many?\nA. 3\nB. 4", ("3", "4"), "Q: How many?\nA. 3\nB. 4!"),
        ("In 34, which digit?", ("3", "4"), "Q: In 34, which digit?\nA. 3\nB. 4!"),
        ("How many? (A) 3 (B) 4", ("3", "4"), "Q: How many? (A) 3 (B) 4!"),
        ("Is {question} a brace?", (), "Q: Is {question} a brace?!"),
    ],
)
def test_options_are_shown_once(question: str, options: tuple[str, ...], turn: str) -> None:
    assert user_turn(problem(question, options), Template("Q: {question}!")) == turn


def test_the_hash_is_of_the_template_alone() -> None:
    assert Template("a {question}").sha == Template("a {question}").sha != Template("b {question}").sha


def test_the_first_solution_may_be_greedy_and_leaves_the_others_as_they_are() -> None:
    class Recording(ScriptedEngine):
        asked: list[tuple[float, int, int]] = []  # noqa: RUF012

        async def generate(
            self,
            prompt: Prompt,
            sampling: SamplingConfig,
            n: int,
            seed: int,
            max_tokens: int,
            *,
            stop: str | None = None,
        ) -> list[Completion]:
            self.asked.append((sampling.temperature, n, seed))
            return await super().generate(prompt, sampling, n, seed, max_tokens)

    def drawn(**changes: object) -> list[Completion]:
        sampling = SamplingConfig.model_validate({"num_solutions": 4, "temperature": 0.7, "max_tokens": 50, **changes})
        engine = Recording(EngineConfig(kind="scripted"))
        return asyncio.run(sample(Prompt((1,), (), 1), engine, sampling, 100))

    plain = drawn()
    Recording.asked.clear()
    greedy = drawn(greedy_first=True)
    assert Recording.asked == [(0.0, 1, 100), (0.7, 3, 101)]
    assert greedy[1:] == plain[1:]
    assert len(drawn(greedy_first=True, num_solutions=1)) == 1
