"""The checkpoint as Ray's filter is given it, without a dataset of all its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.annotate.done import checkpoint_manager


def load(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[Any]]:
    import ray
    from ray.data import DataContext
    from ray.data.checkpoint import CheckpointConfig

    kind = checkpoint_manager()
    cleaned: list[Any] = []
    monkeypatch.setattr(ray, "put", lambda value: value)
    monkeypatch.setattr(kind, "_clean_pending_checkpoints", lambda self, *given: cleaned.append(given))
    config = CheckpointConfig("problem_id", str(folder), checkpoint_manager_cls=kind)
    found, size = kind(checkpoint_config=config, data_context=DataContext.get_current()).load_checkpoint("data", None)
    assert size == (0 if found is None else 100 * len(found))
    return found, cleaned


def test_committed_problems_are_sorted_and_pending_ones_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, ids in (("b", ["c", "a"]), ("a", ["d"]), ("c.pending", ["x"])):
        pq.write_table(pa.table({"problem_id": ids}), tmp_path / f"{name}.parquet")
    found, cleaned = load(tmp_path, monkeypatch)
    assert found.tolist() == ["a", "c", "d"]
    assert found.dtype == object
    # What a killed run left half committed is cleared away first, as Ray does it.
    assert cleaned == [("data", None)]


def test_without_a_commit_nothing_is_filtered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(tmp_path, monkeypatch)[0] is None


def test_rays_filter_drops_what_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray
    from ray.data.checkpoint import CheckpointConfig
    from ray.data.checkpoint.checkpoint_filter import NumpyArrayBasedCheckpointFilter

    for name, ids in (("b", ["c", "a"]), ("a", ["d"])):
        pq.write_table(pa.table({"problem_id": ids}), tmp_path / f"{name}.parquet")
    found, _ = load(tmp_path, monkeypatch)
    monkeypatch.setattr(ray, "get", lambda value: value)
    done = NumpyArrayBasedCheckpointFilter(CheckpointConfig("problem_id", str(tmp_path)), found)
    block = pa.table({"problem_id": ["e", "a", "b", "d", "c"], "row": range(5)})
    assert done.filter_rows_for_block(block).to_pylist() == [
        {"problem_id": "e", "row": 0},
        {"problem_id": "b", "row": 2},
    ]


def test_the_settings_reach_workers(tmp_path: Path) -> None:
    """Ray sends them with every task; a class that holds the ids, or can't be sent, would not do."""
    from ray import cloudpickle
    from ray.data.checkpoint import CheckpointConfig, CheckpointManager

    config = CheckpointConfig("problem_id", str(tmp_path), checkpoint_manager_cls=checkpoint_manager())
    sent = cloudpickle.dumps(config)
    assert len(sent) < 10_000
    assert issubclass(cloudpickle.loads(sent).checkpoint_manager_cls, CheckpointManager)
