"""What `make rl` trains, in which order, and what is made again when something has changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from demo.rl import plan as module
from demo.rl.plan import COMPARED, LOOKED_AT, Plan
from demo.rl.recipe import Recipe
from pipeline.errors import UserError


def test_every_training_has_its_seeds_and_is_evaluated_after_it() -> None:
    phases = Plan("r", Recipe()).phases()
    names = [[task.name for task in phase] for phase in phases]
    flat = [name for phase in names for name in phase]
    assert len(set(flat)) == len(flat) == 1 + 2 * (3 * len(COMPARED) + len(LOOKED_AT))
    assert names[0][0] == "evaluate-start"
    assert {"train-min-2", "train-last-0", "train-product-0"} <= set(names[2])
    assert "train-last-1" not in flat
    earlier: set[str] = set()
    for phase in phases:
        assert all({one.name for one in task.after} <= earlier for task in phase)
        earlier |= {task.name for task in phase}


def test_checkpoints_are_those_of_one_recipe_and_one_reward_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def runs(recipe: Recipe) -> dict[str, str]:
        trainings = [task for phase in Plan("r", recipe).phases() for task in phase if task.name.startswith("train")]
        return {task.name: task.command[task.command.index("--run") + 1] for task in trainings}

    first, other = runs(Recipe()), runs(Recipe(learning_rate=3e-5))
    assert len(set(first.values()) | set(other.values())) == 2 * len(first)
    (tmp_path / "files.json").write_text(json.dumps({"value": {"sha256": "0" * 64}}))
    monkeypatch.setattr(module, "PACKED", tmp_path)
    retrained = runs(Recipe())
    changed = {name for name in first if first[name] != retrained[name]}
    assert changed == {name for name in first if "outcome" not in name}, "the outcome asks no reward model"


def test_an_evaluation_belongs_to_its_policy() -> None:
    before, after = (Plan("r", recipe) for recipe in (Recipe(), Recipe(steps=7)))
    assert before.evaluated("min", 1).key != after.evaluated("min", 1).key
    assert before.evaluated("start", None).key == after.evaluated("start", None).key
    assert before.evaluated("min", 1).command[3] == "outputs/r/trained/min-1"


def test_a_recipe_is_read_from_what_it_writes() -> None:
    recipe = Recipe(steps=3, learning_rate=5e-5, warmup=0)
    assert Recipe.parse(recipe.words()) == recipe
    assert Recipe.parse(["group=4"]).group == 4


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("lr=1", "lr=1: is no setting of a training: give steps, prompts,"),
        ("steps", "steps: is no setting"),
        ("steps=1.5", "steps: '1.5' is no number"),
        ("group=0", "group: 0 must be above 0"),
        ("group=1", "group: 1 must be 2 or more"),
        ("learning_rate=nan", "learning_rate: nan must be above 0"),
    ],
)
def test_what_no_training_can_use_is_refused(word: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        Recipe.parse([word])
