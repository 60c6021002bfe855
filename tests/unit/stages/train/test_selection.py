"""The split, and what is left out of a training."""

from __future__ import annotations

from pathlib import Path

from stages.train.selection import is_held_out
from tests import shards
from tests.unit.stages.train.test_prepare import prepared


def test_problems_are_split_whole_and_by_their_id_alone(tmp_path: Path) -> None:
    found = prepared(tmp_path, shards.solutions(30, 3), data__held_out=0.3)
    kept, held = ({name.split("/")[0] for name in part.ids} for part in (found.train, found.held_out))
    assert len(kept | held) == 30
    assert not kept & held
    assert held == {name for name in kept | held if is_held_out(name, 0.3, 0)}
    counts = found.facts["counts"]
    assert counts["train"]["samples"] + counts["held_out"]["samples"] == 90


def test_filters_drop_what_teaches_little(tmp_path: Path) -> None:
    right, wrong = shards.step("a", 16), shards.step("b", 0)
    rows = [
        shards.row(0, 0, [right]),
        shards.row(0, 1, [right]),
        shards.row(1, 0, [right]),
        shards.row(1, 1, [right, wrong]),
    ]
    found = prepared(tmp_path / "a", rows, data__drop_all_right=True)
    assert found.train.ids == [rows[2]["id"], rows[3]["id"]]
    assert found.facts["left_out"] == {"not_selected": 2}
    found = prepared(tmp_path / "b", rows, data__keep=0.25, data__select="informative")
    assert found.train.ids == [rows[3]["id"]]
    many = prepared(tmp_path / "c", shards.solutions(40), data__keep=0.5)
    assert len(many.train) == 40
