"""Labels of every kind, published, exported and imported again: the same labels, and nulls where there were some."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.config import LabelConfig, PublishConfig
from pipeline.records import AnnotatedProblem, Draw, Solution, Step, StepOrigin, Verdict, VerdictStatus
from stages.exchange.exporting import export_dataset
from stages.exchange.format import ExportOptions, ImportOptions
from stages.exchange.importing import import_corpus
from stages.judge.answer import VERDICTS, Opinion, StepVerdict
from stages.judge.records import JUDGED_SOLUTION, JudgedSolution, Vote
from stages.judge.verdicts import Judgements
from stages.label import label_columns
from stages.publish.reading import read_rows
from stages.publish.rows import publish
from tests.unit.stages.publish.test_rows import make_problem, write_run

KINDS = {
    "mc": LabelConfig(threshold=0.25),
    "band": LabelConfig(kind="band"),
    "interval": LabelConfig(kind="interval", threshold=0.5, confidence=0.5),
    "judge": LabelConfig(kind="judge"),
    "consensus": LabelConfig(kind="consensus"),
    "first_error": LabelConfig(kind="consensus", agreement="first_error"),
}
DRAWS = 8
STEP = st.tuples(
    st.integers(0, DRAWS), st.sampled_from([*VERDICTS, None]), st.sampled_from(["measured", "not_sampled"])
)
SOLUTIONS = st.lists(st.tuples(st.booleans(), st.lists(STEP, min_size=1, max_size=5)), min_size=1, max_size=4)
"""Whether a solution is right, and of each step: successes, what the judge says, and whether there are draws."""


def item(number: int, solutions: list[Any]) -> AnnotatedProblem:
    problem, made = make_problem(number), []
    for index, (right, steps) in enumerate(solutions):
        name = f"{problem.problem_id}/k/s{index}"
        parts = []
        for place, (successes, _, origin) in enumerate(steps):
            last = place == len(steps) - 1
            statuses: list[VerdictStatus] = ["correct" if draw < successes else "incorrect" for draw in range(DRAWS)]
            drawn = origin == "measured" and not last
            draws = tuple(Draw((), "", "stop", 0, Verdict(status)) for status in statuses) if drawn else ()
            known: StepOrigin = "own_answer" if last else origin
            parts.append(Step(f"{name} step {place}.", 0, 1, True, draws, origin=known))
        verdict = Verdict("correct" if right else "incorrect", "7")
        made.append(Solution(name, "text", (), "stop", 0, verdict, tuple(parts)))
    return AnnotatedProblem(problem, tuple(made), "m", "k", problem.question, "s", "fixed", None)


def said(items: list[AnnotatedProblem], ledger: list[list[Any]]) -> Judgements:
    """One vote a step: where the judge says nothing, a second one says the opposite."""
    judged = []
    for one, solutions in zip(items, ledger, strict=True):
        for solution, (_, steps) in zip(one.solutions, solutions, strict=True):
            pairs: list[tuple[StepVerdict, StepVerdict]] = [
                ("correct", "incorrect") if step[1] is None else (step[1], step[1]) for step in steps
            ]
            votes = [Vote(seed, 1, None, tuple(Opinion(pair[seed], "none") for pair in pairs)) for seed in range(2)]
            judged.append(JudgedSolution(solution.solution_id, len(steps), votes).row())
    return Judgements.of_parts([pa.array(judged, JUDGED_SOLUTION)])


def labels(dataset: Path) -> dict[str, list[tuple[str, str | None]]]:
    """Of each solution, by the text of its first step: the texts of its steps and their labels."""
    found = {}
    for row in read_rows(str(dataset)):
        # Math-Shepherd numbers its steps.
        steps = [(each["step"].partition(": ")[2] or each["step"], each["label"]) for each in row["steps_with_score"]]
        found[steps[0][0]] = steps
    return found


def until_null(steps: list[tuple[str, str | None]], unsampled: set[str], by_draws: bool) -> list[tuple[str, str]]:
    """What a format with labels alone can say; after a `-` of `mc`, what was not sampled is `-`, as the reference has it."""
    turns: list[tuple[str, str]] = []
    for text, label in steps:
        if label is None and by_draws and text in unsampled and "-" in [one for _, one in turns]:
            label = "-"
        if label is None:
            break
        turns.append((text, label))
    return turns


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ledger=st.lists(SOLUTIONS, min_size=1, max_size=2))
@pytest.mark.parametrize("name", KINDS)
def test_every_kind_comes_back_with_its_nulls(
    name: str, tmp_path_factory: pytest.TempPathFactory, ledger: list[Any]
) -> None:
    folder, config = tmp_path_factory.mktemp("kinds"), KINDS[name]
    items = [item(number, solutions) for number, solutions in enumerate(ledger)]
    judgements = said(items, ledger) if config.needs_judge else None
    stats = json.dumps({"label": config.model_dump(mode="json"), "policies": [{"strategy": "fixed"}]})
    publish(
        [write_run(folder / "run", items)],
        str(folder / "data"),
        pafs.LocalFileSystem(),
        PublishConfig(),
        partial(label_columns, config=config),
        lambda *_: {"README.md": "", "stats.json": stats},
        judgements,
    )
    published = labels(folder / "data")
    assert len(published) == sum(map(len, ledger))
    unsampled = {
        step.text for one in items for each in one.solutions for step in each.steps if step.origin == "not_sampled"
    }

    def there_and_back(format: str) -> dict[str, list[tuple[str, str | None]]]:
        out, again = folder / f"{format}-out", folder / f"{format}-again"
        export_dataset(str(folder / "data"), format, str(out), ExportOptions("data", "Judge."))
        import_corpus(format, str(out), str(again), ImportOptions(single_turn=True))
        return labels(again)

    assert there_and_back("prm800k") == published
    turns = {key: until_null(steps, unsampled, config.kind == "mc") for key, steps in published.items()}
    if turns := {key: steps for key, steps in turns.items() if steps}:
        assert there_and_back("math-shepherd") == turns
        assert there_and_back("conversations") == turns
    export_dataset(str(folder / "data"), "parquet", str(folder / "copy"), ExportOptions("data", ""))
    assert labels(folder / "copy") == published
    (shard,) = (folder / "copy").glob("*.parquet")
    assert ("judge_verdict" in pq.read_schema(shard).names) is config.needs_judge
