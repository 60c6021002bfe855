"""A sample is what the scorer sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.schemas import IMPORTED_SCHEMA
from stages.publish.kept import Kept
from stages.reward.collate import prepare as prepare_images
from stages.reward.render import FIRST_TURN, Layout, expand, image_token_id, render
from stages.train.batches import Collator
from stages.train.lengths import image_lengths
from stages.train.prepare import prepare
from tests import shards
from tests.families import FAMILIES, family
from tests.unit.stages.train.test_prepare import config, prepared


@pytest.mark.parametrize("first_turn", [FIRST_TURN, "{question}\nSolve."], ids=["turns", "inline"])
@pytest.mark.parametrize("name", FAMILIES)
def test_a_sample_is_rendered_as_the_scorer_renders_it(tmp_path: Path, name: str, first_turn: str) -> None:
    _, processor = family(name)
    image = shards.picture(1, 100, 50)
    rows = [shards.row(0, 0, [shards.step("a +", 8), shards.step("b", 0)], images=[{"bytes": image, "path": ""}] * 2)]
    found = prepared(tmp_path, rows, name, first_turn)
    sample = found.train[0]
    rendering = render(processor, rows[0]["question"], 2, ["a +", "b"], Layout(first_turn=first_turn))
    shown = prepare_images(processor, [image, image])
    expanded = expand(rendering, image_token_id(processor), shown.spans)
    assert (tuple(sample.token_ids), tuple(sample.slots)) == (rendering.token_ids, rendering.slots)
    assert sample.length == len(expanded.token_ids)
    assert image_lengths(processor, [(50, 100)] * 2) == [len(span) for span in shown.spans]
    batch = Collator(processor, [1.0, 1.0])([sample])
    assert tuple(batch["input_ids"][0].tolist()) == expanded.token_ids
    assert tuple(batch["slots"][0].tolist()) == expanded.slots


def test_an_imported_solution_keeps_its_own_system_turn(tmp_path: Path) -> None:
    def imported(problem: int, system: str | None) -> dict[str, Any]:
        kept = Kept("conversations", "a_prm.jsonl", problem + 1, "x.png", ("id",), {}, system)
        return shards.row(problem, 0, [shards.step("a", 8), shards.step("b", 0)], extra=kept.text())

    rows = [imported(0, "Judge."), imported(1, "Judge."), imported(2, None)]
    data = shards.write(tmp_path / "data", rows, IMPORTED_SCHEMA)
    processor = family("demo")[1]
    found = prepare(config(tmp_path, data), processor, Layout(system="Be kind."))
    for sample, row, system in zip(found.train, rows, ("Judge.", "Judge.", "Be kind."), strict=True):
        shown = render(processor, row["question"], 1, ["a", "b"], Layout(system=system))
        assert tuple(sample.token_ids) == shown.token_ids
    assert found.system == "Judge."
    assert found.facts["system_turns"] == [2, 1]


def test_outcome_shows_the_whole_response_as_one_step(tmp_path: Path) -> None:
    rows = [shards.row(0, 0, [shards.step("a", 8), shards.step("b", 0)])]
    found = prepared(tmp_path, rows, target__kind="outcome")
    expected = render(family("demo")[1], rows[0]["question"], 1, ["a\n\nb"], Layout())
    assert found.train[0].token_ids == list(expected.token_ids)
    assert found.train[0].labels == [1]
