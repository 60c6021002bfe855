"""How a block reaches the disk: whole, named by its sum, and before Ray commits it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ray import cloudpickle
from ray.data.datasource.file_datasink import _FileDatasink

from pipeline.lock import LockLost, lost
from pipeline.schemas import LEDGER_SCHEMA
from pipeline.store import Store, named_sum
from stages.annotate.ledger_sink import ledger_sink


def test_ray_writes_blocks_that_the_store_counts(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    # As Ray has it: sent to a worker, which writes the list of problems first and renames it last.
    sink = cloudpickle.loads(cloudpickle.dumps(ledger_sink(store)))
    assert isinstance(sink, _FileDatasink)
    sink.on_write_start()
    rows = pa.Table.from_pylist([{"problem_id": name, "num_draws": 3} for name in ("a", "b")], schema=LEDGER_SCHEMA)
    (tmp_path / "checkpoint").mkdir()
    pending = tmp_path / "checkpoint/w_000007.pending.parquet"
    pq.write_table(rows.select(["problem_id"]), pending)
    sink.write(
        [rows.slice(0, 1), rows.slice(1), rows.slice(0, 0)], SimpleNamespace(kwargs={"write_uuid": "w"}, task_idx=7)
    )
    (path,) = (tmp_path / "annotations").iterdir()
    data = path.read_bytes()
    assert path.name == f"w_000007-{len(data)}-{hashlib.sha256(data).hexdigest()}.parquet"
    assert store.ledger_files() == []
    pending.rename(store.commit_path("w_000007"))
    assert store.ledger_files() == [str(path)]
    assert named_sum(str(path)) is not None
    assert store.ledger("num_draws")["num_draws"].to_pylist() == [3, 3]


def test_no_rows_make_no_file(tmp_path: Path) -> None:
    sink = ledger_sink(Store(str(tmp_path)))
    sink.write([LEDGER_SCHEMA.empty_table()], SimpleNamespace(kwargs={"write_uuid": "w"}, task_idx=0))
    assert not (tmp_path / "annotations").exists()


class Taken:
    """The fence of a driver whose lock another one has taken."""

    def check(self) -> None:
        raise lost("s3://b/run", "process 7 on elsewhere")


def test_a_driver_that_lost_its_lock_commits_no_block(tmp_path: Path) -> None:
    """An error before the commit leaves the list of problems pending, which Ray clears away."""
    store = Store(str(tmp_path))
    store.fence = Taken()
    sink = cloudpickle.loads(cloudpickle.dumps(ledger_sink(store)))
    (tmp_path / "checkpoint").mkdir()
    rows = pa.Table.from_pylist([{"problem_id": "a", "num_draws": 3}], schema=LEDGER_SCHEMA)
    pq.write_table(rows.select(["problem_id"]), tmp_path / "checkpoint/w_000000.pending.parquet")
    with pytest.raises(LockLost, match="process 7 on elsewhere works on this run now"):
        sink.write([rows], SimpleNamespace(kwargs={"write_uuid": "w"}, task_idx=0))
