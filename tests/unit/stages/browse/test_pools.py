"""A pool of candidates on the pages, with the scores of the critics that lie beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from stages.best_of_n.scores import score_pool
from stages.browse.app import create_app
from stages.browse.collection import Said
from stages.browse.places import find, open_all
from tests.unit.stages.best_of_n.test_pool import critic, judge_of, make


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    folder = make(tmp_path / "pool", problems=40)
    score_pool(str(folder), [f"prm={critic(tmp_path / 'prm')}", f"orm={critic(tmp_path / 'orm', 'orm')}"], judge_of)
    return folder


def test_candidates_have_verdicts_and_what_critics_say(pool: Path) -> None:
    (opened,) = open_all(find([str(pool)]))
    number = opened.index.problem_number("p03")
    assert number is not None
    view = opened.problem(number)
    assert (view.question, view.answer, view.images, len(view.solutions)) == ("Q?", "4", 1, 4)
    assert opened.pictures(number) == [b"\x03"]
    first = view.solutions[1]
    assert (first.id, first.status, first.answer) == ("p3/k/s1", "correct", "4")
    assert [step.critics for step in first.steps] == [
        [Said("orm", None), Said("prm", 0.9)],
        [Said("orm", 0.9), Said("prm", 0.3)],
    ]
    # Verdicts are known, labels are not.
    assert {facet.key for facet in opened.facets} >= {"verdict", "source"}
    assert "pattern" not in {facet.key for facet in opened.facets}


def test_its_pages_are_shown(pool: Path) -> None:
    given = find([str(pool)])
    client = TestClient(create_app(given, open_all(given)))
    assert (
        "<strong>20</strong> problems, <strong>40</strong> solutions of 160"
        in client.get("/c/0/?source=odd&verdict=correct").text
    )
    page = client.get("/c/0/problem?id=p03").text
    assert "prm 0.90" in page
    assert "50% of solutions are right" in client.get("/c/0/overview").text
    assert client.get("/c/0/small/7").headers["content-type"] == "image/svg+xml", "its bytes are no picture"
