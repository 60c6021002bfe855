"""What `visualprm add` finds in the layouts that benchmarks come in: every gold and every picture, or a decision."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import SourceConfig
from pipeline.records import Image, Problem
from stages.load.add.finding import find_entry
from stages.load.add.layouts import find_layout
from stages.load.parse import load
from tests.unit.stages.load.add.benchmarks import BENCHMARKS, png


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_gold_and_every_picture(tmp_path: Path, name: str) -> None:
    benchmark = BENCHMARKS[name]
    words = list(benchmark.write(tmp_path))
    images = words.pop() if "--images" in words else None
    paths = [word for word in words if word != "--images"]
    entry = find_entry(find_layout(paths, {}), images, {}, "mine")
    source = SourceConfig(**{**entry.settings, **benchmark.edits})
    problems = [item for item in load(source, lambda problem: None) if isinstance(item, Problem)]
    assert [(each.question, each.answer, each.options) for each in problems] == [
        (row.question, row.answer, row.options) for row in benchmark.rows
    ], entry.yaml()
    assert [[image.sha256 for image in each.images] for each in problems] == [
        [Image.of(png(number)).sha256 for number in row.pictures] for row in benchmark.rows
    ]
