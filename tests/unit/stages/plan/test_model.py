"""What is read of a model before it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import EngineConfig
from stages.plan.model import Model, read_model, reuses_prefixes
from tests.families import family


def test_hybrid_attention_is_planned_without_reuse() -> None:
    hybrid = Model({"text_config": {"layer_types": ["linear_attention", "full_attention"]}}, None, None, "", None)
    plain = Model({"text_config": {"layer_types": ["full_attention"]}}, None, None, "", None)
    assert [reuses_prefixes(EngineConfig(model="m"), model) for model in (hybrid, plain)] == [False, True]
    on = EngineConfig(model="m", args={"enable_prefix_caching": True})
    assert reuses_prefixes(on, hybrid)


@pytest.mark.parametrize(("name", "tiles", "counts"), [("internvl", True, False), ("qwen3_vl", True, True)])
def test_how_pictures_are_limited_is_read_from_the_processor(
    name: str, tiles: bool, counts: bool, tmp_path: Path
) -> None:
    _, processor = family(name)
    processor.save_pretrained(tmp_path)
    found = read_model(EngineConfig(model=str(tmp_path)))
    assert (found.tiles, found.pixels is not None) == (tiles, counts)
    if found.pixels is not None:
        assert (found.pixels.side, found.pixels.most) == (32, 64 * 16 * 16)
