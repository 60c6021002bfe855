"""What all trainings and evaluations came to, as one object that is small enough to keep."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from demo.rl.evaluate import SUMMARY
from demo.rl.judging import Json
from demo.rl.numbers import Floats, Mean, difference, mean
from demo.rl.plan import EVALUATED, START, TRAINED, Plan
from demo.rl.train import RESULT


@dataclass(frozen=True)
class Results:
    """Evaluations by reward, one a seed, with the policy before under `START`; and the trainings likewise, without it."""

    evaluated: Mapping[str, Sequence[Json]]
    trained: Mapping[str, Sequence[Json]]

    @classmethod
    def read(cls, plan: Plan) -> Results:
        """Of the folders that a plan has made."""
        evaluated: dict[str, list[Json]] = {START: [_json(plan.home / EVALUATED / START / SUMMARY)]}
        trained: dict[str, list[Json]] = {}
        for reward, seed in plan.trainings():
            name = f"{reward}-{seed}"
            evaluated.setdefault(reward, []).append(_json(plan.home / EVALUATED / name / SUMMARY))
            trained.setdefault(reward, []).append(_json(plan.home / TRAINED / name / RESULT))
        return cls(evaluated, trained)

    def values(self, reward: str, measure: str) -> Floats:
        """Shape (seeds, problems); NaN for what was not measured."""
        return np.array([one["values"][measure] for one in self.evaluated[reward]], dtype=float)

    def mean(self, reward: str, measure: str) -> Mean:
        return mean(self.values(reward, measure))

    def difference(self, reward: str, other: str, measure: str) -> Mean:
        """One reward's measure less another's. The policy before has one evaluation, which every seed is held against."""
        own, others = self.values(reward, measure), self.values(other, measure)
        return difference(own, np.repeat(others, len(own), axis=0) if other == START else others)

    def over_time(self, reward: str, measure: str) -> Floats:
        """Shape (seeds, steps)."""
        return np.array([one["over_time"][measure] for one in self.trained[reward]], dtype=float)

    def text(self) -> str:
        """As JSON, an evaluation or a training a line."""
        lines = [
            json.dumps({"kind": kind, "reward": reward, **one})
            for kind, of in (("training", self.trained), ("evaluation", self.evaluated))
            for reward, found in of.items()
            for one in found
        ]
        return "".join(f"{line}\n" for line in lines)


def _json(path: Any) -> Json:
    found: Json = json.loads(path.read_text(encoding="utf-8"))
    return found
