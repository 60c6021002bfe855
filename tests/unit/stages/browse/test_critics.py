"""Critics' scores beside mc, and where they disagree with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.errors import UserError
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
    assert steps == [[[(name, 0.9)], [(name, 0.2)]], [[(name, 0.3)], [(name, None)]], [[], []]]
    assert list(one.index.numbers["suspicion"]) == [0, 1, 0]
    notable = next(facet for facet in one.facets if facet.key == "worth")
    assert list(notable.mask(["critics-disagree"])) == [False, True, False]


@pytest.mark.parametrize("text", ["", "{}\n", "no json\n", '{"id": "x", "scores": ["much"]}\n'])
def test_what_holds_no_scores_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.jsonl").write_text(text)
    with pytest.raises(UserError, match="scores"):
        read_critic(str(tmp_path / "s.jsonl"))
