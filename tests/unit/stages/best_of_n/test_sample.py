"""Sampling a pool, as far as no engine is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import load_config
from pipeline.errors import UserError
from stages.best_of_n.sample import pool_config, sample_pool
from tests.integration.conftest import scripted
from tests.unit.stages.best_of_n.test_pool import make


def test_a_pools_places_are_beside_the_datasets(tmp_path: Path) -> None:
    config = load_config(str(scripted(tmp_path, run_dir="s3://b/runs/x?region=us-east-1", output_dir="data/x/")), [])
    pool = pool_config(config, 8, False)
    assert pool.run_dir == "s3://b/runs/x-bon8?region=us-east-1"
    assert pool.output_dir == "data/x-bon8"


def test_another_pool_is_refused_before_anything_is_drawn(tmp_path: Path) -> None:
    pool = make(tmp_path / "pool", problems=2)
    config = pool_config(load_config(str(scripted(tmp_path)), []), 3, False)
    with pytest.raises(UserError, match="holds another frozen pool"):
        sample_pool(config, str(pool))
    assert not Path(config.run_dir).exists()
