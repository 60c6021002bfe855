"""A judge's verdicts stand beside the steps: of a run with their reasons, of a dataset from its columns."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pipeline.config import LabelConfig, PublishConfig
from pipeline.records import AnnotatedProblem
from pipeline.store import Store
from stages.browse.app import create_app
from stages.browse.collection import JudgedView
from stages.browse.places import find, open_all
from stages.judge.answer import Opinion
from stages.judge.records import JudgedSolution, Vote
from stages.judge.verdicts import Judgements
from stages.label import label_columns
from stages.publish.entries import Run
from stages.publish.rows import publish
from tests.unit.stages.browse import places
from tests.unit.stages.judge.test_verdicts import judgement, ledger


def opinions(*said: Opinion) -> Vote:
    return Vote(1, 9, None, said)


RIGHT, WRONG = Opinion("correct", "none", ""), Opinion("incorrect", "arithmetic", "7 × 8 is <b>56</b>.")


@pytest.fixture
def judged(tmp_path: Path) -> tuple[Path, Path, AnnotatedProblem]:
    """A run and the dataset that heeds its judge, who judged the first two solutions, the second when it had other steps."""
    one = places.annotated(1)
    run = places.write_run(tmp_path / "run", [one])
    first, second = (solution.solution_id for solution in one.solutions[:2])
    votes = [
        opinions(RIGHT, WRONG, RIGHT),
        opinions(RIGHT, Opinion("incorrect", "arithmetic", "Count again."), WRONG),
        Vote(3, 9, "cut", None),
    ]
    rows = [
        judgement(
            one.problem.problem_id, [JudgedSolution(first, 3, votes), JudgedSolution(second, 1, [opinions(WRONG)])]
        )
    ]
    store = ledger(tmp_path / "run" / "judgements" / "anna", rows)
    store.write_json("ledger.json", {})
    label, parts = LabelConfig(kind="judge"), [Run(run.problem_files(), run.ledger_files(), 16, run.filesystem)]
    # Of the solution that was judged otherwise nothing can be published.
    only = Judgements.of_runs([ledger(tmp_path / "other", [judgement("p", [JudgedSolution(first, 3, votes)])])])
    publish(
        parts,
        str(tmp_path / "data"),
        run.filesystem,
        PublishConfig(),
        partial(label_columns, config=label),
        judgements=only,
    )
    return tmp_path / "run", tmp_path / "data", one


def test_a_run_shows_verdicts_votes_and_reasons(judged: tuple[Path, Path, AnnotatedProblem]) -> None:
    run, _data, one = judged
    (opened,) = open_all(find([str(run)]))
    found = opened.problem(0).solutions
    said = {solution.id: [step.judges for step in solution.steps] for solution in found}
    first, second = (solution.solution_id for solution in one.solutions[:2])
    assert said[first] == [
        [JudgedView("anna", "correct", "none", 2)],
        [JudgedView("anna", "incorrect", "arithmetic", 2, ("7 × 8 is <b>56</b>.", "Count again."))],
        # One says right, one wrong.
        [JudgedView("anna", None, None, 0, ("7 × 8 is <b>56</b>.",))],
    ]
    assert said[second] == [[], [], []]


def test_a_judges_files_are_gone_through_once_until_there_are_others(
    judged: tuple[Path, Path, AnnotatedProblem], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _data, one = judged
    read: list[str] = []
    ids = Store.ids

    def noted(store: Store, paths: list[str]) -> set[str]:
        read.extend(paths)
        return ids(store, paths)

    monkeypatch.setattr(Store, "ids", noted)
    (opened,) = open_all(find([str(run)]))
    read.clear()
    for _ in range(3):
        assert opened.problem(0).solutions[0].steps[0].judges
    (path,) = read
    later = judgement("another", [JudgedSolution(one.solutions[0].solution_id, 3, [opinions(RIGHT, RIGHT, RIGHT)])])
    ledger(run / "judgements" / "anna", [later], "later")
    opened.problem(0)
    opened.problem(0)
    assert len(read) == 3
    assert read.count(path) == 2


def test_pages_show_it_and_a_dataset_borrows_the_reasons(judged: tuple[Path, Path, AnnotatedProblem]) -> None:
    run, data, one = judged

    def page(*paths: Path) -> str:
        given = find([str(path) for path in paths])
        client = TestClient(create_app(given, open_all(given)))
        return client.get(f"/c/0/problem?id={one.problem.problem_id}").text

    alone = page(data)
    assert "<b>judge</b> incorrect: arithmetic <small>2 votes</small>" in alone
    assert "<b>judge</b> no majority" in alone
    assert "Count again" not in alone
    both = page(data, run)
    assert "Count again" in both
    assert "7 × 8 is &lt;b&gt;56" in both
    assert Store(str(run)).exists("judgements", "anna", "ledger.json")
