"""The run directory: what counts as done, what is atomic, and who may work there."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import UserError
from pipeline.store import Store


def put(store: Store, name: str, ids: list[str]) -> None:
    path = Path(store.path(name))
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"problem_id": ids, "num_draws": [10] * len(ids)}), path)


def test_only_committed_files_count(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    put(store, "problems/part-00000.parquet", ["a", "b", "c"])
    put(store, "checkpoint/w_000.parquet", ["a"])
    put(store, "checkpoint/w_001.pending.parquet", ["b"])
    put(store, "annotations/w_000-0.parquet", ["a"])
    put(store, "annotations/w_001-0.parquet", ["b"])
    assert store.problem_ids() == {"a", "b", "c"}
    assert store.done_ids() == {"a"}
    assert [Path(path).name for path in store.ledger_files()] == ["w_000-0.parquet"]
    assert store.total("num_draws") == 10


def test_an_empty_directory_has_nothing(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "new"))
    assert (store.problem_ids(), store.done_ids(), store.ledger_files(), store.total("num_draws")) == (
        set(),
        set(),
        [],
        0,
    )


def test_of_a_problem_in_two_blocks_the_first_counts(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    for name, ids in (("w_000", ["b", "a"]), ("w_001", ["a", "c"])):
        put(store, f"checkpoint/{name}.parquet", ids)
        put(store, f"annotations/{name}-0.parquet", ids)
    later = pa.table({"problem_id": ["a", "c"], "num_draws": [99, 7]})
    pq.write_table(later, store.path("annotations/w_001-0.parquet"))
    assert store.total("num_draws") == 10 + 10 + 7


def test_a_text_is_replaced_whole(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    store.write_json("x.json", {"a": 1})
    store.write_json("x.json", {"a": 2})
    assert store.read_json("x.json") == {"a": 2}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.json", "x.json"]


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="not writable"):
        Store(str(tmp_path / "file" / "run")).make()
