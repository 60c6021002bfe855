"""From a ledger through publishing to a training's targets: whatever was drawn, each step has the label that the rule
for one step gives it (`stages.label.label_steps`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.fs as pafs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.config import LabelConfig, PublishConfig
from pipeline.records import VERDICT_STATUSES, AnnotatedProblem, Draw, Solution, Step, Verdict
from stages.label import ORIGINS, label_columns, labelled_steps
from stages.publish.rows import publish
from stages.publish.stats import count_steps
from stages.train.labels import choose, tally
from stages.train.targets import Kind, Target, step_targets
from tests.unit.stages.publish.test_rows import make_problem, read, write_run

THRESHOLDS = (0.0, 1 / 4, 1 / 3, 0.3, 0.5, 2 / 3, 0.9)
"""Among them shares that a few draws have exactly, for which `above` and `at least` differ."""
STATUS = st.sampled_from(VERDICT_STATUSES)
DRAWS = st.lists(STATUS, max_size=6) | st.integers(0, 10).map(lambda k: ["correct"] * k + ["incorrect"] * (10 - k))
STEPS = st.lists(st.tuples(st.sampled_from(ORIGINS), DRAWS), max_size=4)
ENTRY = st.lists(st.tuples(STATUS, STEPS), max_size=3)
"""A problem's solutions by one policy; none where it failed."""


def item(number: int, policy: str, entry: list[Any]) -> AnnotatedProblem:
    problem = make_problem(number)
    solutions = []
    for index, (verdict, steps) in enumerate(entry):
        made = tuple(
            Step(
                f"step {place}",
                0,
                1,
                True,
                tuple(Draw((1,), "x", "stop", 0, Verdict(one)) for one in drawn),
                origin=origin,
            )
            for place, (origin, drawn) in enumerate(steps)
        )
        name = f"{problem.problem_id}/{policy}/s{index}"
        solutions.append(Solution(name, "text", (1,), "stop", 0, Verdict(verdict), made))
    error = None if entry else "engine_died: twice"
    return AnnotatedProblem(problem, tuple(solutions), "m", policy, "p", "s", "fixed", error)


def published(step: Step, label: str | None) -> dict[str, Any]:
    counts = {name: getattr(step, name) for name in ("score", "num_mc_correct", "num_mc_total", "origin")}
    return {"step": step.text, "label": label, **counts}


def wanted_target(kind: Kind, step: dict[str, Any]) -> Target | None:
    """From the definition of each kind (`stages/train/targets.py`)."""
    hard = 0 if step["label"] == "+" else 1
    if kind == "value":
        return None if step["label"] is None else Target(hard, (1.0 - hard, float(hard)))
    if step["score"] is None:
        return None
    k, n = step["num_mc_correct"], step["num_mc_total"]
    return Target(hard, (k / n, 1 - k / n) if kind == "soft" else (float(k), float(n - k)))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    ledger=st.lists(st.tuples(ENTRY, ENTRY), min_size=1, max_size=3),
    threshold=st.sampled_from(THRESHOLDS),
    learnt=st.sampled_from([None, *THRESHOLDS]),
    missing=st.sampled_from(["miss", "drop"]),
)
def test_published_and_learnt_labels_are_those_of_the_rule_for_one_step(
    tmp_path_factory: pytest.TempPathFactory, ledger: list[Any], threshold: float, learnt: float | None, missing: Any
) -> None:
    items = [
        item(number, policy, entry)
        for number, pair in enumerate(ledger)
        for policy, entry in zip("ab", pair, strict=True)
    ]
    folder = tmp_path_factory.mktemp("labels")
    config = LabelConfig(threshold=threshold, missing=missing)
    run = write_run(folder / "run", items, rows_per_file=2)
    stats = publish(
        [run], str(folder / "out"), pafs.LocalFileSystem(), PublishConfig(), partial(label_columns, config=config)
    )
    rows = {row["id"]: row for row in read(folder / "out")}
    solutions = {each.solution_id: each for one in items for each in one.solutions}
    assert rows.keys() == solutions.keys()

    tallies: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(int))
    labels = choose(tally(sorted(Path(folder / "out").glob("*.parquet"))), learnt, threshold, "data")
    now = LabelConfig(threshold=threshold if learnt is None else learnt, missing=missing)
    for name, solution in solutions.items():
        pairs = labelled_steps(solution, config)
        assert rows[name]["steps_with_score"] == [published(*pair) for pair in pairs]
        count_steps(tallies[rows[name]["source"]], [(label, step.score, step.origin) for step, label in pairs])
        taught = labels.row(rows[name])["steps_with_score"]
        assert taught == [published(*pair) for pair in labelled_steps(solution, now)]
        for kind in ("value", "soft", "counts"):
            assert step_targets(taught, kind) == [wanted_target(kind, step) for step in taught]
    for source, tallied in tallies.items():
        found = stats.sources[source]
        assert {key: found[key] for key in tallied} == pytest.approx(tallied)
        draws = Counter(
            f"draws.{draw.verdict.status}"
            for name, one in solutions.items() if rows[name]["source"] == source
            for step in one.steps for draw in step.draws
        )  # fmt: skip
        assert {key: number for key, number in found.items() if key.startswith("draws.")} == draws
