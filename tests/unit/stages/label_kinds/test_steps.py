"""A run's steps side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.records import AnnotatedProblem, ledger_row, problem_row
from pipeline.schemas import LEDGER_SCHEMA, PROBLEM_SCHEMA, table
from pipeline.store import Store
from stages.label_kinds.steps import read_steps
from tests.unit.stages.publish.test_rows import annotate, make_problem


def run_of(folder: Path, files: Sequence[Sequence[AnnotatedProblem]]) -> Store:
    store = Store(str(folder))
    store.make()
    problems = {item.problem.problem_id: item.problem for items in files for item in items}
    (folder / "problems").mkdir()
    pq.write_table(
        table([problem_row(problems[key]) for key in sorted(problems)], PROBLEM_SCHEMA),
        folder / "problems/part-00000.parquet",
    )
    for number, items in enumerate(files):
        store.add_block(str(number), table(map(ledger_row, items), LEDGER_SCHEMA))
        with store.new_commit(str(number)) as out:
            pq.write_table(pa.table({"problem_id": [item.problem.problem_id for item in items]}), out)
    return store


def test_steps_of_two_problems_are_never_in_one_cluster(tmp_path: Path) -> None:
    """Problems without a solution are among them, in every place of a file."""
    held = [annotate(make_problem(seed)) for seed in range(7)]
    failed = [dataclasses.replace(held[place], solutions=(), error="prompt_too_long") for place in (0, 3, 5)]
    files = [[failed[0], held[1], held[2]], [held[4], failed[1]], [failed[2]], [held[6], held[1]]]
    steps = read_steps(run_of(tmp_path, files), None, {}, {})
    sizes = [sum(len(one.steps) for one in held[place].solutions) for place in (1, 2, 4, 6)]
    assert min(sizes) > 0
    assert np.bincount(steps.problem).tolist() == sizes
