"""What docs/reinforcement.md says of numbers that evaluations wrote."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from demo.rl.document import cell, document
from demo.rl.numbers import Mean
from demo.rl.pictures import write
from demo.rl.plan import EVALUATED, START, TRAINED, Plan
from demo.rl.recipe import Recipe
from demo.rl.results import Results

MEASURES = (
    "right any_right steps prefixes wrong_way only_verifier num_steps tokens cut kl score gap liked liked_wrong unscored"
).split()
LIKED = {
    "name": "bars-38",
    "steps": ["orange = 6.", "Final answer: 26"],
    "scores": [0.986, 0.7],
    "prefixes_ok": [True, False],
    "right": False,
}


def evaluation(right: float, seed: int) -> dict:
    noise = np.random.default_rng(0).normal(0, 0.1, 50) + np.random.default_rng(seed).normal(0, 0.01, 50)
    values = {name: (0.5 + noise).tolist() for name in MEASURES} | {"right": (right + noise).tolist()}
    return {"problems": [f"p{k}" for k in range(50)], "draws": 4, "auc": 0.9, "values": values, "liked_most": [LIKED]}


def training(steps: int) -> dict:
    names = ("reward", "answers", "steps", "tokens", "cut", "entropy", "same_reward", "seconds", "unscored")
    return {"over_time": {name: [0.5] * steps for name in names}}


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """With the files of all trainings and evaluations in place; `min` is right more often than the outcome reward."""
    monkeypatch.chdir(tmp_path)
    found = Plan("r", Recipe(steps=12), seeds=2, problems=50)
    right = {START: 0.6, "outcome": 0.7, "min": 0.8}
    names = [(START, START, 9), *((reward, f"{reward}-{seed}", seed) for reward, seed in found.trainings())]
    for reward, name, seed in names:
        for kind, file, content in (
            (EVALUATED, "summary.json", evaluation(right.get(reward, 0.7), seed)),
            (TRAINED, "training.json", training(12)),
        ):
            folder = found.home / kind / name
            folder.mkdir(parents=True)
            (folder / file).write_text(json.dumps(content))
    return found


def test_every_reward_has_its_row_and_its_difference_to_the_outcome(plan: Plan) -> None:
    results = Results.read(plan)
    seconds = {"train-min-0": 60.0, "evaluate-start": 30.0}
    text = document(results, plan, seconds, "python -m demo.rl", {"a.png": "A", "b.png": "B"})
    section = text.partition("## Against the outcome alone")[2].partition("\n## ")[0]
    rows = {line.split("|")[1].strip(): line for line in section.splitlines() if line.startswith("| ")}
    assert "outcome" not in rows
    assert "+10.0 [+10.0, +10.0] higher" in rows["PRM, `min`"]
    assert rows["PRM, `min`"].split("|")[2].strip() == "2"
    assert rows["PRM, `last`"].split("|")[2].strip() == "1"
    first = text.partition("## What became of the policy")[2].partition("\n## ")[0]
    assert "| the policy before" in first
    assert "pass@4" in first
    assert "% were cut at the limit of tokens" in first
    assert results.difference("min", START, "right").value == pytest.approx(0.2, abs=0.01)
    assert len(results.difference("min", START, "right").by_seed) == 2
    before = text.partition("## Against the policy before")[2].partition("\n## ")[0]
    assert "+10.1 [" in next(line for line in before.splitlines() if line.startswith("| outcome"))
    assert "orange = 6. (0.99) / Final answer: 26 (0.70, wrong)" in text
    assert "![A](a.png)" in text


def test_what_is_kept_has_a_line_for_every_training_and_evaluation(plan: Plan) -> None:
    lines = [json.loads(line) for line in Results.read(plan).text().splitlines()]
    assert [line["kind"] for line in lines].count("training") == 10
    assert [line["reward"] for line in lines].count("min") == 4
    assert sum(line["reward"] == START for line in lines) == 1


def test_pictures_are_drawn_beside_the_document_the_same_each_time(plan: Plan) -> None:
    results = Results.read(plan)
    names = write(results, Path("r.md"))
    assert list(names) == ["r-over-time.png", "r-belief.png"]
    drawn = {name: Path(name).read_bytes() for name in names}
    write(results, Path("r.md"))
    assert drawn == {name: Path(name).read_bytes() for name in names}
    assert Path("r-belief.svg").is_file()


def test_a_number_that_was_not_measured_is_a_dash() -> None:
    assert cell(Mean(float("nan"), None, None, ()), 100) == "–"
    assert cell(Mean(0.5, None, None, (0.5,)), 100) == "50.0"
    assert cell(Mean(1.234, 1.1, 1.4, (1.234,)), 1) == "1.23 [1.10, 1.40]"
