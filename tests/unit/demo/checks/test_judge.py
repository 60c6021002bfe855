"""The demo's judge: without errors it is the oracle; errors come as often as they are asked for, alone or together."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest

from demo.benchmark import problem
from demo.checks.judge import oracle_judge, verdicts
from demo.oracle import StepTruth, judge_steps
from demo.reasoning import STEP_SEPARATOR, write
from pipeline.config import EngineConfig
from pipeline.errors import UserError
from pipeline.prompts import prompt_file
from pipeline.records import Image, Problem, problem_row
from pipeline.schemas import PROBLEM_SCHEMA, table
from stages.annotate.sample import Template
from stages.judge.config import JudgingConfig
from stages.judge.judge import Chain, judge_solution

RIGHT, SLIP = StepTruth(True, True, "arithmetic"), StepTruth(False, False, "arithmetic")
MISREAD, CARRIED = StepTruth(False, False, "reading"), StepTruth(False, True, "arithmetic")


def said(truths: list[StepTruth], seed: int = 0, name: str = "p", **settings: Any) -> list[str]:
    judge: Any = SimpleNamespace(
        **{"misses": 0.0, "false_alarms": 0.0, "truth": "prefix", "correlated": False, **settings}
    )
    steps = [f"step {number}" for number in range(len(truths))]
    return [one["verdict"] for one in verdicts(name, steps, truths, judge, random.Random(seed))]


def test_without_errors_it_says_what_is_true_of_the_prefix_or_of_the_step() -> None:
    truths = [RIGHT, MISREAD, CARRIED]
    assert said(truths) == ["correct", "incorrect", "incorrect"]
    assert said(truths, truth="step") == ["correct", "incorrect", "correct"]


def test_errors_come_as_often_as_they_are_asked_for() -> None:
    missed = sum(said([SLIP], seed, misses=0.2) == ["correct"] for seed in range(2000))
    alarms = sum(said([RIGHT], seed, false_alarms=0.1) == ["incorrect"] for seed in range(2000))
    assert 340 < missed < 460
    assert 150 < alarms < 250


def test_correlated_misses_hold_for_every_vote_and_every_step_that_follows() -> None:
    truths = [RIGHT, MISREAD, CARRIED, CARRIED]
    for number in range(50):
        votes = {tuple(said(truths, seed, f"p{number}", misses=0.5, correlated=True)) for seed in range(10)}
        assert len(votes) == 1
        assert votes <= {("correct", *["incorrect"] * 3), ("correct",) * 4}
    believed = sum(said(truths, 0, f"p{number}", misses=0.3, correlated=True)[1] == "correct" for number in range(1000))
    assert 240 < believed < 360


@pytest.fixture
def demo_run(tmp_path: Path) -> tuple[Path, Problem]:
    """The problem files of a run of one problem of the demo."""
    one = next(found for found in map(problem, (f"bars-{seed}" for seed in range(50))) if len(found.paths) > 1)
    image = Image.of(one.image())
    key = Problem.make_id("demo/bars", one.question, "1", [image.sha256])
    found = Problem(key, "demo/bars", one.id, one.question, "1", (image,), (), ("number",), 1, "p")
    (tmp_path / "problems").mkdir()
    pq.write_table(table([problem_row(found)], PROBLEM_SCHEMA), tmp_path / "problems" / "part-00000.parquet")
    return tmp_path, found


def test_it_comes_through_the_door_of_any_judge(demo_run: tuple[Path, Problem]) -> None:
    run, found = demo_run
    one = problem(found.row_id)
    wrong = next(path for path in one.paths if path.mistakes)
    chain = Chain(f"{found.problem_id}/k/s0", tuple(write(one.plan, wrong.beliefs).split(STEP_SEPARATOR)))
    truths = judge_steps(one.id, chain.steps)
    template = Template(prompt_file("judge_v1.txt").read_text(encoding="utf-8"))
    engine = oracle_judge(EngineConfig(kind="function", max_model_len=1 << 16, args={"run": str(run)}))
    for reason in (0, 20):
        asked = judge_solution(found, chain, template, "k", engine, 0, JudgingConfig(reason_characters=reason))
        (vote,) = asyncio.run(asked).votes
        assert vote.steps is not None
        assert [step.verdict == "correct" for step in vote.steps] == [truth.prefix_ok for truth in truths]
    other = dataclasses.replace(found, question="Another question?")
    asked = judge_solution(other, chain, template, "k", engine, 0, JudgingConfig())
    assert asyncio.run(asked).error == "prompt_refused: no problem of engine.args.run has this picture and question"


def test_what_it_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"engine\.args\.mises: the demo's judge heeds run, misses"):
        oracle_judge(EngineConfig(kind="function", args={"mises": 0.1}))
    with pytest.raises(UserError, match=r"engine\.args\.run: .*: no run with loaded problems is here"):
        oracle_judge(EngineConfig(kind="function", args={"run": str(tmp_path)}))
