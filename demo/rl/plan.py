"""All that `make rl` does: which rewards with which seeds, and what each training and evaluation depends on."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from demo.reproduction.kept import LIST, PACKED
from demo.reproduction.tasks import POLICY, Task
from demo.rl.recipe import OUTCOME, Recipe

MODEL = "value"
"""The reward model, of those that are kept: all steps, value labels, trained on 1,000 problems."""
COMPARED = (OUTCOME, "min", "mean", "ps_grpo")
"""Rewards that are trained with every seed."""
LOOKED_AT = ("last", "product")
"""The other reductions, with the first seed alone."""
START = "start"
"""What evaluations call the policy before."""
EVALUATED, TRAINED = "evaluated", "trained"


@dataclass(frozen=True)
class Plan:
    """What to train and to evaluate. `home` has what is made, `runs` the checkpoints of what is under way."""

    name: str
    recipe: Recipe
    seeds: int = 3
    problems: int = 240
    draws: int = 4

    @property
    def home(self) -> Path:
        return Path("outputs", self.name)

    @property
    def notes(self) -> Path:
        return self.home / "done"

    def trainings(self) -> Iterator[tuple[str, int]]:
        """Reward and seed of each, in the order in which they are made."""
        for seed in range(self.seeds):
            yield from ((reward, seed) for reward in COMPARED)
        yield from ((reward, 0) for reward in LOOKED_AT)

    def phases(self) -> list[list[Task]]:
        """One after the other; the tasks of each beside each other. What is trained in one is evaluated in the next."""
        trainings = list(self.trainings())
        groups = [[one for one in trainings if one[1] == seed and (one[0] in COMPARED)] for seed in range(self.seeds)]
        groups[-1] += [one for one in trainings if one[0] in LOOKED_AT]
        found = [[self.evaluated(START, None)]]
        for group in groups:
            found[-1] += [self.trained(*one) for one in group]
            found.append([self.evaluated(*one) for one in group])
        return found

    def trained(self, reward: str, seed: int) -> Task:
        name = f"{reward}-{seed}"
        out = self.home / TRAINED / name
        judge = () if reward == OUTCOME else ("--prm", prm())
        how = (reward, str(seed), *self.recipe.words(), "--out", str(out), *judge)
        command = (sys.executable, "-m", "demo.rl.train", *how)
        task = Task(f"train-{name}", command, out)
        # A training of another recipe doesn't go on from this one's checkpoints.
        return replace(task, command=(*command, "--run", f"runs/{self.name}-{name}-{task.key}"))

    def evaluated(self, reward: str, seed: int | None) -> Task:
        """A trained policy, or the one before all trainings."""
        name = START if seed is None else f"{reward}-{seed}"
        trained = () if seed is None else (self.trained(reward, seed),)
        policy = trained[0].makes if trained else Path(POLICY)
        out = self.home / EVALUATED / name
        how = (
            "--problems",
            str(self.problems),
            "--draws",
            str(self.draws),
            "--max-tokens",
            str(self.recipe.max_tokens),
        )
        command = (sys.executable, "-m", "demo.rl.evaluate", str(policy), "--out", str(out), *how, "--prm", prm())
        return Task(f"evaluate-{name}", command, out, trained)


def prm() -> str:
    """What the reward model that is kept is known by: what was made with another one is made again."""
    listed = json.loads((PACKED / LIST).read_text(encoding="utf-8"))
    return f"{MODEL}-{listed[MODEL]['sha256'][:16]}"
