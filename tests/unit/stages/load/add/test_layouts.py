"""What `visualprm add` finds in the layouts that benchmarks come in: every gold and every picture, or a decision."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import SourceConfig, load_config
from pipeline.records import Image, Problem
from stages.load.add.finding import find_entry
from stages.load.add.layouts import find_layout
from stages.load.parse import load
from stages.load.paths import locate
from tests.unit.stages.load.add.benchmarks import BENCHMARKS, png

EXAMPLES = Path(__file__).parents[5] / "configs/examples"


def _expect(source: SourceConfig, name: str, entry: str) -> None:
    benchmark = BENCHMARKS[name]
    problems = [item for item in load(source, lambda problem: None) if isinstance(item, Problem)]
    assert [(each.question, each.answer, each.options) for each in problems] == [
        (row.question, row.answer, row.options) for row in benchmark.rows
    ], entry
    assert [[image.sha256 for image in each.images] for each in problems] == [
        [Image.of(png(number)).sha256 for number in row.pictures] for row in benchmark.rows
    ], entry


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_gold_and_every_picture(tmp_path: Path, name: str) -> None:
    words = list(BENCHMARKS[name].write(tmp_path))
    images = words.pop() if "--images" in words else None
    paths = [word for word in words if word != "--images"]
    entry = find_entry(find_layout(paths, {}), images, {}, "mine")
    assert {decision.key for decision in entry.decisions} == set(BENCHMARKS[name].edits)
    _expect(SourceConfig(**{**entry.settings, **BENCHMARKS[name].edits}), name, entry.yaml())


def test_the_examples_read_these_layouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARKS", str(tmp_path))
    folders = {name.replace(" ", "_"): name for name in BENCHMARKS}
    for folder, name in folders.items():
        (tmp_path / folder).mkdir()
        BENCHMARKS[name].write(tmp_path / folder)
    config = load_config(EXAMPLES / "layouts.yaml")
    assert [source.name for source in config.sources] == list(folders)
    for source in locate(config.sources, config.data_root):
        _expect(source, folders[source.name], source.name)
