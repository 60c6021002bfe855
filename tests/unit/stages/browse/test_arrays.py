"""The labels that the index takes from a ledger are those of `stages.label`."""

from __future__ import annotations

import random

import numpy as np
import pytest

from pipeline.config import LabelConfig
from pipeline.records import VERDICT_STATUSES, Draw, Solution, Step, Verdict, ledger_row
from pipeline.schemas import LEDGER_SCHEMA, table
from stages.browse.arrays import ledger_steps
from stages.browse.collection import ORIGINS
from stages.label import labelled_steps
from tests.unit.stages.browse import places

ORIGIN = ("measured", "own_answer", "implied", "not_sampled")


def chance_solution(rng: random.Random, number: int) -> Solution:
    def drawn() -> tuple[Draw, ...]:
        many = rng.choice([0, 0, 1, 4])
        return tuple(Draw((1,), "x", "stop", 0, Verdict(rng.choice(VERDICT_STATUSES))) for _ in range(many))

    made = tuple(Step("s", 0, 1, True, drawn(), origin=rng.choice(ORIGIN)) for _ in range(rng.randint(0, 6)))  # type: ignore[arg-type]
    return Solution(f"p/pol/s{number}", "t", (1,), "stop", 0, Verdict(rng.choice(VERDICT_STATUSES)), made)


@pytest.mark.parametrize(
    "config",
    [LabelConfig(), LabelConfig(threshold=0.4), LabelConfig(missing="drop"), LabelConfig(kind="band")],
    ids=str,
)
def test_they_are_the_same(config: LabelConfig) -> None:
    rng = random.Random(7)
    solutions = tuple(chance_solution(rng, number) for number in range(300))
    item = places.annotated(0)
    row = {**ledger_row(item), "solutions": list(map(_row, solutions))}
    held = table([row], LEDGER_SCHEMA)["solutions"].combine_chunks().flatten()
    lists, bits = ledger_steps(held, config)
    for solution, found, seen in zip(solutions, lists.to_pylist(), bits.to_pylist(), strict=True):
        wanted = [
            {
                "score": None if step.score is None else np.float32(step.score),
                "k": step.num_mc_correct,
                "n": step.num_mc_total,
                "label": {"+": 1, "-": 0, None: None}[label],
                "origin": ORIGINS.index(step.origin),
            }
            for step, label in labelled_steps(solution, config)
        ]
        assert found == wanted
        statuses = {draw.verdict.status for step in solution.steps for draw in step.draws}
        assert {VERDICT_STATUSES[bit] for bit in range(6) if seen >> bit & 1} == statuses


def _row(solution: Solution) -> dict:
    from pipeline.records import solution_row

    return solution_row(solution)
