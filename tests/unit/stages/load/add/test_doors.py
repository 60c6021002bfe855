"""The files of `../shared/data/doors`, in the layouts of real benchmarks: right golds and pictures, or refused."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import SourceConfig
from pipeline.errors import UserError
from pipeline.records import Problem, Rejected
from stages.load.add.finding import find_entry
from stages.load.add.layouts import find_layout
from stages.load.parse import load

DOORS = Path(__file__).parents[6] / "shared/data/doors"
pytestmark = pytest.mark.skipif(not DOORS.is_dir(), reason="needs ../shared")


@dataclass(frozen=True)
class Door:
    """`golds` by the rows' names, with the number of pictures; `refused` reasons likewise."""

    golds: dict[str, tuple[str, int]]
    refused: dict[str, str] = field(default_factory=dict)
    edit: dict[str, Any] = field(default_factory=dict)
    """What a person sets, after `add` has said that it can't be told."""


def of(*golds: tuple[str, int]) -> dict[str, tuple[str, int]]:
    return {f"row {number}": gold for number, gold in enumerate(golds, 1)}


PETS = {"0": ("B", 1), "1000000": ("A", 1), "1": ("A", 1), "2": ("A", 2)}
DOOR: dict[str, Door] = {
    "mmmu": Door({"val_Acc_1": ("B", 1), "val_Acc_2": ("A", 2), "val_Acc_3": ("12.5", 1), "val_Acc_4": ("B", 2)}),
    "scienceqa/problems.json": Door({"1": ("B", 1)}, {"2": "missing_image"}, {"gold": "index0"}),
    "scienceqa/hf.parquet": Door(of(("B", 1), ("B", 1), ("B", 1)), {"row 4": "missing_image"}, {"gold": "index0"}),
    "geoqa.jsonl": Door(of(("B", 1), ("B", 1), ("D", 1)), {}, {"gold": "index0"}),
    "mathvista/testmini.json": Door({"1": ("1.2", 1), "272": ("4:30", 1), "3": ("[0, 2, 0, 2]", 1)}),
    "mathvista/list.json": Door({"1": ("1.2", 1), "272": ("4:30", 1), "3": ("[0, 2, 0, 2]", 1)}),
    "docvqa.json": Door({"1": ("1/8/93", 1), "2": ("Paul", 1)}, {}, {"references": "any"}),
    "chartqa.parquet": Door(of(("14", 1), ("Yes", 1))),
    "olympiad.parquet": Door({"1": (r"$\frac{v}{2}$", 1), "2": ("$1,2$", 1), "3": ("2.5", 1), "4": (r"$E=\frac{mv^2}{2}$", 1)}),
    "llava.json": Door({"a": ("3", 1)}, {"b": "missing_image"}),
    "messages.jsonl": Door(of(("3", 1))),
    "wds": Door({"s000": ("0", 1), "s001": ("1", 1), "s002": ("2", 1)}),
    "mmb.tsv": Door(PETS),
    "mmb.csv": Door(PETS),
    "imgf": Door(of(("1", 1), ("2", 1), ("3", 1))),
    "geo3k": Door({"row train/0/data.json": ("B", 1)}),
    "pylist.csv": Door({"1": ("B", 1), "2": ("B", 1), "3": ("B", 1)}, {"4": "ambiguous_list"}),
    "mathv.jsonl": Door({"1": ("7", 1)}, {"2": "unknown_image"}),
    "pic/q.jsonl": Door(of(("D", 1), ("B", 1))),
    "notopt.jsonl": Door(
        {"row 4": ("b", 1)},
        {"row 1": "gold_not_an_option", "row 2": "gold_not_an_option", "row 3": "gold_not_an_option",
         "row 5": "gold_not_an_option", "row 6": "wrong_type"},
        {"gold": "letter"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DOOR)
def test_the_right_golds_and_all_pictures(name: str) -> None:
    door = DOOR[name]
    entry = find_entry(find_layout([str(DOORS / name)], {}), None, {}, "mine")
    assert {decision.key for decision in entry.decisions} >= set(door.edit), "an edit that nobody was told of"
    assert bool(entry.undecided) == ("gold" in door.edit)
    found = list(load(SourceConfig(**{**entry.settings, **door.edit}), lambda problem: None))
    problems = [item for item in found if isinstance(item, Problem)]
    assert {item.row_id: (item.answer, len(item.images)) for item in problems} == door.golds
    assert {item.row_id: item.reason for item in found if isinstance(item, Rejected)} == door.refused


@pytest.mark.parametrize("name", ["scienceqa/hf.parquet", "scienceqa/problems.json", "geoqa.jsonl", "notopt.jsonl"])
def test_golds_that_can_mean_two_things_are_never_read_in_silence(name: str) -> None:
    entry = find_entry(find_layout([str(DOORS / name)], {}), None, {}, "mine")
    with pytest.raises(UserError, match=r"source .mine.: gold: .*: set `gold: "):
        list(load(SourceConfig(**entry.settings), lambda problem: None))


@pytest.mark.parametrize(
    ("name", "column", "gold", "edit"),
    [
        ("aokvqa.json", "299207", "B", {"gold": "index0"}),
        ("vqa", "9", "red", {}),
    ],
)
def test_pictures_by_number(tmp_path: Path, name: str, column: str, gold: str, edit: dict[str, Any]) -> None:
    layout = find_layout([str(DOORS / name)], {})
    alone = find_entry(layout, None, {}, "mine")
    assert any(decision.key == "images" and "give --images" in decision.why for decision in alone.decisions)
    picture = next((DOORS / "imgf").glob("*.png")).read_bytes()
    (tmp_path / f"COCO_{int(column):012d}.jpg").write_bytes(picture)
    entry = find_entry(find_layout([str(DOORS / name)], {}), str(tmp_path), {}, "mine")
    assert entry.settings["fields"]["image"] == "COCO_{image_id:012d}.jpg"
    problem, *others = load(SourceConfig(**{**entry.settings, **edit}), lambda problem: None)
    assert isinstance(problem, Problem)
    assert not others
    assert (problem.answer, [image.sha256 for image in problem.images]) == (gold, [hashlib.sha256(picture).hexdigest()])


@pytest.mark.parametrize("name", ["mathvista", "scienceqa"])
def test_a_folder_of_two_benchmarks_names_them(name: str) -> None:
    with pytest.raises(UserError, match="2 files of rows: name one, or two that belong together: "):
        find_layout([str(DOORS / name)], {})
