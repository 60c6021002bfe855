"""What a bench's labels are about."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.errors import UserError
from stages.evaluate.about import NOTE, as_prefixes, stated
from stages.evaluate.bench import BenchSample


@pytest.mark.parametrize(
    ("labels", "prefixes"),
    [
        ((1, 1, 1), (1, 1, 1)),
        ((1, -1, 1), (1, -1, -1)),
        ((0, 1, -1, 0, 1, -1), (0, 1, -1, 0, -1, -1)),
        ((-1, 1), (-1, -1)),
    ],
)
def test_no_prefix_is_right_after_a_wrong_step_and_the_same_steps_count(
    labels: tuple[int, ...], prefixes: tuple[int, ...]
) -> None:
    sample = BenchSample("s", "a", "p", "q", (), ("step",) * len(labels), labels)
    (found,) = as_prefixes([sample])
    assert found.labels == prefixes
    assert found.steps == sample.steps


@pytest.mark.parametrize(
    ("note", "about"),
    [
        ({"labels_are_about": "prefix"}, "prefix"),
        ({"tasks": {"labels_are_about": "step"}, "annotators": ["a"]}, "step"),
        ({"tasks": {}}, None),
        (None, None),
    ],
)
def test_a_bench_says_it_beside_its_rows(tmp_path: Path, note: dict | None, about: str | None) -> None:
    if note is not None:
        (tmp_path / NOTE).write_text(json.dumps(note))
    assert stated(tmp_path) == stated(tmp_path / "test.jsonl") == about


@pytest.mark.parametrize("text", ["no json", "[]", '{"labels_are_about": "answer"}'])
def test_a_note_that_says_something_else_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / NOTE).write_text(text)
    with pytest.raises(UserError, match=NOTE):
        stated(tmp_path)
