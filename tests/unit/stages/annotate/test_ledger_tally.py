"""The tally that a ledger's files give is that of the problems in them."""

from __future__ import annotations

import dataclasses
import random
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.config import LabelConfig
from pipeline.records import AnnotatedProblem, Draw, Step, Verdict, VerdictStatus, ledger_row, problem_row
from pipeline.schemas import LEDGER_SCHEMA, PROBLEM_SCHEMA, table
from pipeline.store import Store
from stages.annotate import ledger_tally as module
from stages.annotate.ledger_tally import ledger_tally
from stages.annotate.tally import Tally
from tests.unit.stages.publish.test_rows import annotate, make_problem


def write(folder: Path, items: list[AnnotatedProblem], each: int = 3) -> Store:
    """A run whose ledger has files of `each` problems."""
    store = Store(str(folder))
    for name in ("problems", "annotations", "checkpoint"):
        (folder / name).mkdir(parents=True)
    pq.write_table(table((problem_row(one.problem) for one in items), PROBLEM_SCHEMA), folder / "problems/p.parquet")
    for start in range(0, len(items), each):
        block = items[start : start + each]
        pq.write_table(table(map(ledger_row, block), LEDGER_SCHEMA), folder / f"annotations/{start}-0.parquet")
        done = table(({"problem_id": one.problem.problem_id} for one in block), PROBLEM_SCHEMA)
        pq.write_table(done, folder / f"checkpoint/{start}.parquet")
    return store


def counted(items: list[AnnotatedProblem], label: LabelConfig) -> Tally:
    tally = Tally()
    for one in items:
        tally.count(one.problem.source, one.solutions, label)
    return tally


def all_of(status: VerdictStatus, item: AnnotatedProblem) -> AnnotatedProblem:
    """The problem with this verdict for every solution and draw."""
    draw = Draw((1,), "x", "stop", 0, Verdict(status))

    def judged(step: Step) -> Step:
        return dataclasses.replace(step, draws=(draw,) * len(step.draws))

    solutions = (
        dataclasses.replace(one, verdict=Verdict(status), steps=tuple(map(judged, one.steps))) for one in item.solutions
    )
    return dataclasses.replace(item, solutions=tuple(solutions))


def items(count: int) -> list[AnnotatedProblem]:
    rng = random.Random(0)
    made = [annotate(make_problem(seed), num_solutions=rng.randint(1, 4)) for seed in range(count)]
    return [*made, annotate(make_problem(count), num_solutions=0, error="prompt_too_long: x")]


@pytest.mark.parametrize("threshold", [0.0, 0.4])
def test_it_is_the_tally_of_the_problems(tmp_path: Path, threshold: float) -> None:
    made, label = items(14), LabelConfig(threshold=threshold)
    tally, every = ledger_tally(write(tmp_path, made), label)
    assert tally == counted(made, label)
    assert every == 1
    assert tally.total().problems == 14


def test_wrong_everywhere_is_no_positive_label(tmp_path: Path) -> None:
    wrong = [all_of("incorrect", one) for one in items(6)]
    tally, _ = ledger_tally(write(tmp_path, wrong), LabelConfig())
    assert tally == counted(wrong, LabelConfig())
    assert not tally.positive


def test_right_answers_below_the_threshold_are_no_positive_label(tmp_path: Path) -> None:
    def one_of_four(step: Step) -> Step:
        draws = (Draw((1,), "x", "stop", 0, Verdict("correct")), *step.draws[1:]) if step.draws else ()
        return dataclasses.replace(step, draws=draws)

    wrong = [all_of("incorrect", one) for one in items(6)]
    made = [
        dataclasses.replace(
            item,
            solutions=tuple(
                dataclasses.replace(one, steps=tuple(map(one_of_four, one.steps))) for one in item.solutions
            ),
        )
        for item in wrong
    ]
    store = write(tmp_path, made)
    assert ledger_tally(store, LabelConfig(threshold=0.2))[0].positive
    assert not ledger_tally(store, LabelConfig(threshold=0.25))[0].positive


def test_a_block_that_was_committed_twice_counts_once(tmp_path: Path) -> None:
    made = items(5)
    store = write(tmp_path, made)
    for folder, suffix in (("annotations", "-0"), ("checkpoint", "")):
        shutil.copy(tmp_path / folder / f"0{suffix}.parquet", tmp_path / folder / f"again{suffix}.parquet")
    assert ledger_tally(store, LabelConfig())[0] == counted(made, LabelConfig())


def test_of_a_long_ledger_a_part_is_counted_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FILES", 2)
    tally, every = ledger_tally(write(tmp_path, items(11), each=2), LabelConfig())
    assert every == 3
    assert tally.total().problems == 4


def test_a_run_without_a_ledger_has_none(tmp_path: Path) -> None:
    assert ledger_tally(Store(str(tmp_path)), LabelConfig()) == (Tally(), 1)
