"""Critics' scores beside mc, and where they disagree with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pipeline.errors import UserError
from stages.browse.app import create_app
from stages.browse.collection import Said
from stages.browse.critics import read_critic
from stages.browse.places import find, open_all
from tests import shards
from tests.unit.stages.browse import places


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = [shards.row(0, k, [shards.step("a", 16), shards.step("b", 0)]) for k in range(3)]
    places.write_dataset(tmp_path / "data", rows)
    scores = [
        {"id": rows[0]["id"], "scores": [0.9, 0.2]},
        {"id": rows[1]["id"], "scores": [0.3, None]},
        {"id": "other", "scores": [1]},
    ]
    (tmp_path / "scores.jsonl").write_text("".join(json.dumps(row) + "\n" for row in scores))
    return tmp_path


def test_scores_stand_beside_the_steps_they_are_of(data: Path) -> None:
    (one,) = open_all(find([str(data / "scores.jsonl"), str(data / "data")]))
    name = f"{data.name}/scores"
    steps = [[step.critics for step in solution.steps] for solution in one.problem(0).solutions]
    assert steps == [[[Said(name, 0.9)], [Said(name, 0.2)]], [[Said(name, 0.3)], [Said(name, None)]], [[], []]]
    assert list(one.index.numbers["suspicion"]) == [0, 1, 0]
    notable = next(facet for facet in one.facets if facet.key == "worth")
    assert list(notable.mask(["critics-disagree"])) == [False, True, False]


def test_intervals_of_a_model_of_counts_stand_beside_its_scores(data: Path) -> None:
    row = json.loads((data / "scores.jsonl").read_text().splitlines()[0])
    row = {"id": row["id"], "step_scores": [0.9, None], "step_low": [0.7, None], "step_high": [1.0, None]}
    (data / "scores.jsonl").write_text(json.dumps(row) + "\n")
    given = find([str(data / "scores.jsonl"), str(data / "data")])
    opened = open_all(given)
    name = f"{data.name}/scores"
    assert [step.critics for step in opened[0].problem(0).solutions[0].steps] == [
        [Said(name, 0.9, 0.7, 1.0)],
        [Said(name, None)],
    ]
    page = TestClient(create_app(given, opened)).get(f"/c/0/problem?id={opened[0].problem(0).id}").text
    assert f"{name} 0.90 [0.70, 1.00]</span>" in page
    assert f"{name} –</span>" in page


@pytest.mark.parametrize("text", ["", "{}\n", "no json\n", '{"id": "x", "scores": ["much"]}\n'])
def test_what_holds_no_scores_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.jsonl").write_text(text)
    with pytest.raises(UserError, match="scores"):
        read_critic(str(tmp_path / "s.jsonl"))
