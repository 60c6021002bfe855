"""Golds and references in the layouts of real benchmarks, where the files are at hand: right, or refused in a line."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from pipeline.config import parse_config
from pipeline.errors import UserError
from pipeline.records import Problem, References, Rejected
from stages.load.problems import read_sources
from tests.places import SHARED

DOORS = SHARED / "doors"
pytestmark = pytest.mark.skipif(not DOORS.is_dir(), reason="the files are not on this machine")


def read(path: str, **source: Any) -> tuple[list[Problem], Counter[str]]:
    """The problems of a file, and the reasons of the other rows."""
    config = {"name": "x", "data_root": str(DOORS), "sources": [{"name": "s", "path": path, "images": ".", **source}]}
    found = list(read_sources(parse_config(config)))
    reasons = Counter(item.reason for item in found if isinstance(item, Rejected))
    return [item for item in found if isinstance(item, Problem)], reasons


@pytest.mark.parametrize(
    ("path", "fields", "golds"),
    [
        ("scienceqa/hf.parquet", {"options": "choices"}, ["La Paz", "3", "2"]),
        ("geoqa.jsonl", {"options": "choices", "answer": "label"}, ["40", "2", "6"]),
    ],
)
def test_indices(path: str, fields: dict[str, str], golds: list[str]) -> None:
    with pytest.raises(UserError, match="gold: index0 and index1 both fit"):
        read(path, fields=fields)
    problems, _ = read(path, fields=fields, gold="index0")
    assert [problem.options["ABCD".index(problem.answer)] for problem in problems] == golds
    # Without the options, an index would pass for a number.
    unmapped = {key: value for key, value in fields.items() if key != "options"}
    assert read(path, fields=unmapped) == ([], Counter({"options_not_shown": len(golds) + (path != "geoqa.jsonl")}))


def test_golds_that_are_no_option() -> None:
    with pytest.raises(UserError, match="gold: no reading fits all 5 rows"):
        read("notopt.jsonl")
    for gold, answer in (("letter", "b"), ("text", "True")):
        problems, reasons = read("notopt.jsonl", gold=gold)
        assert [problem.answer for problem in problems] == [answer]
        assert reasons["gold_not_an_option"] == 4


def test_alternative_references() -> None:
    fields = {"answer": "answers"}
    for verify in (["anls"], ["anls", "list"]):
        problems, reasons = read("docvqa.json", fields=fields, verify=verify)
        assert [problem.answer for problem in problems] == ["Paul"]
        assert reasons == {"several_references": 1}
    problems, reasons = read("docvqa.json", fields=fields, verify=["anls"], references="any")
    assert [problem.answer for problem in problems] == ["1/8/93", "Paul"]
    assert problems[0].references == References(("1/8/93", "1/8/1993"), 1)
    assert not reasons


def test_letters_of_pictures() -> None:
    problems, reasons = read("pic/q.jsonl", images="pic")
    assert [problem.answer for problem in problems] == ["D", "B"]
    assert not reasons


def test_numbered_images() -> None:
    problems, reasons = read("mathv.jsonl")
    assert [problem.question.endswith("\n<image>") for problem in problems] == [True]
    assert reasons == {"unknown_image": 1}
