"""Trainings without the values that a test problem shows, and who judges it then."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from demo.many.unseen import FOLDS, _table, fold_of, shown, write_without
from pipeline import manifest
from pipeline.records import VerdictStatus
from stages.best_of_n.pool import PoolCandidate, PoolProblem
from stages.reward.model import Candidate


def test_a_copy_lacks_the_named_problems_and_claims_no_sums(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    pq.write_table(pa.table({"id": ["a/p/s0", "a/p/s1", "b/p/s0"]}), old / "train-00000-of-00001.parquet")
    for name in ("stats.json", manifest.FILE):
        (old / name).write_text("{}")
    write_without({"a"}, old, tmp_path / "new")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["stats.json", "train-00000-of-00001.parquet"]
    assert pq.read_table(tmp_path / "new" / "train-00000-of-00001.parquet")["id"].to_pylist() == ["b/p/s0"]


def test_the_same_values_are_of_one_fold_however_they_are_asked_for() -> None:
    rings = {shown(f"ring-{number}") for number in range(200)}
    assert len(rings) <= 36
    assert {fold_of(values) for values in rings} == set(FOLDS)


class Critic:
    """Gives each step of a response the number that it is told for it."""

    def __init__(self, scores: dict[str, float]) -> None:
        self.scores, self.asked = scores, 0

    def score_many(self, candidates: Sequence[Candidate]) -> list[list[float]]:
        self.asked += len(candidates)
        return [[self.scores[step] for step in one.steps] for one in candidates]


def test_each_problem_is_judged_by_the_model_that_has_not_seen_its_values() -> None:
    values = {"0" * 32: "x", "1" * 32: next(f"y{k}" for k in range(99) if fold_of(f"y{k}") != fold_of("x"))}
    pool: Any = SimpleNamespace(problems=lambda: iter([_problem(key, "demo/ring") for key in (*values, "2" * 32)]))
    right, wrong = Critic({"good": 0.9, "bad": 0.1}), Critic({"good": 0.1, "bad": 0.9})
    # Of the two models one is right: that of x's fold.
    models: Any = [right, wrong] if fold_of("x") == 0 else [wrong, right]
    table = _table(pool, values, models)
    # x is judged by `wrong`, which has seen it, and by `right`, which has not; y the other way round.
    assert "| all | 2 | 50.0 | 50.0 | +0.0 [-99.5, +99.5] |" in table
    only_x = _table(pool, {"0" * 32: "x"}, models)
    assert "| ring | 1 | 0.2 | 99.8 | +99.5 [+99.5, +99.5] | 0.0 | 100.0 |" in only_x
    # Equal responses are scored once.
    assert (right.asked, wrong.asked) == (6, 6)


_SAID: list[tuple[str, VerdictStatus]] = [("good", "correct"), ("bad", "incorrect")]


def _problem(key: str, source: str) -> PoolProblem:
    found = tuple(
        PoolCandidate(key, at, f"{key}/{at}", step, (step,), step, status, at % 2, at, "stop", 1)
        for at, (step, status) in enumerate(_SAID * 32)
    )
    return PoolProblem(key, source, "?", None, "good", (), found)
