"""The repairing policy: what it looks back at becomes right again, and it looks back as often as it is asked to."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from demo.benchmark import problem
from demo.checks.repairing import ASKED, repairing_policy
from demo.oracle import held_after, judge_steps
from demo.reasoning import FINAL, STEP_SEPARATOR, continuation, sample_solution, write
from pipeline.config import EngineConfig, SamplingConfig
from pipeline.engine import Prompt
from pipeline.errors import UserError
from pipeline.records import Problem
from tests.unit.demo.checks.test_judge import demo_run  # noqa: F401 (a fixture)

NAMES = [f"{family}-{seed}" for family in ("bars", "table", "triangle") for seed in range(40)]


def test_who_looks_back_makes_mistakes_and_ends_right() -> None:
    mistakes = 0
    for name in NAMES:
        one = problem(name)
        steps = list(continuation(one.plan, {}, random.Random(name), repairs=1))
        truths = judge_steps(one.id, steps)
        assert steps[-1] == FINAL + one.written_answer
        assert all(truth.step_ok for place, truth in enumerate(truths) if place and not truths[place - 1].step_ok)
        mistakes += not all(truth.step_ok for truth in truths)
    assert mistakes > len(NAMES) // 5


def test_who_does_not_goes_on_with_what_is_wrong() -> None:
    for name in NAMES:
        one = problem(name)
        for path in one.paths:
            whole = write(one.plan, path.beliefs).split(STEP_SEPARATOR)
            cut = len(whole) - 1
            held = held_after(one.plan, whole[:cut])
            assert list(continuation(one.plan, held, random.Random(0))) == whole[cut:]
            repaired = [*whole[:cut], *continuation(one.plan, held, random.Random(0), repairs=1)]
            assert judge_steps(one.id, repaired)[-1].prefix_ok


def test_solutions_to_learn_from_repair_line_by_line_as_often_as_is_asked() -> None:
    def found(repairs: float) -> int:
        texts = [sample_solution(problem(name).plan, random.Random(name), repairs) for name in NAMES]
        return sum(text.endswith(FINAL + problem(name).written_answer) for name, text in zip(NAMES, texts, strict=True))

    assert found(0.0) < found(0.3) < found(1.0) == len(NAMES)


def test_draws_follow_from_their_seeds_and_repair_as_often_as_is_asked(demo_run: tuple[Path, Problem]) -> None:  # noqa: F811
    run, found = demo_run
    one = problem(found.row_id)
    wrong = next(path for path in one.paths if path.mistakes)
    prefix = STEP_SEPARATOR.join(write(one.plan, wrong.beliefs).split(STEP_SEPARATOR)[:-1]) + STEP_SEPARATOR
    args = {"run": str(run), "repairs": 0.25}
    engine = repairing_policy(EngineConfig(kind="function", max_model_len=1 << 16, args=args))
    text = found.question + "\n" + ASKED.strip()
    prompt = Prompt((*engine.chat(text, 1), *engine.encode(prefix)), found.images, 1)
    drawn = asyncio.run(engine.generate(prompt, SamplingConfig(), 400, 7, 1024))
    part = asyncio.run(engine.generate(prompt, SamplingConfig(), 10, 107, 1024))
    assert part == drawn[100:110]
    right = sum(each.text.endswith(FINAL + one.written_answer) for each in drawn)
    assert 70 < right < 130


def test_a_setting_that_it_does_not_know_is_refused() -> None:
    with pytest.raises(UserError, match=r"engine\.args\.repair: the repairing policy heeds run, repairs"):
        repairing_policy(EngineConfig(kind="function", args={"repair": 0.1}))
