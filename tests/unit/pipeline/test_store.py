"""The run directory: what counts as done, what is atomic, and who may work there."""

import errno
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import StartError, UserError
from pipeline.store import Store, beside, one_line_io_errors


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


@pytest.mark.parametrize(
    ("place", "moved"),
    [
        ("runs/x", "runs/x-bon8"),
        ("runs/x/", "runs/x-bon8"),
        ("runs/why?", "runs/why?-bon8"),
        ("s3://b/runs/x", "s3://b/runs/x-bon8"),
        ("s3://b/runs/x/?region=us-east-1", "s3://b/runs/x-bon8?region=us-east-1"),
        ("s3://b/x?endpoint_override=h:1&scheme=http", "s3://b/x-bon8?endpoint_override=h:1&scheme=http"),
    ],
)
def test_a_suffix_goes_to_the_name_of_a_place(place: str, moved: str) -> None:
    assert beside(place, "-bon8") == moved


def test_a_text_is_replaced_whole(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    store.write_json("x.json", {"a": 1})
    store.write_json("x.json", {"a": 2})
    assert store.read_json("x.json") == {"a": 2}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.json", "x.json"]


@pytest.mark.parametrize(
    ("error", "words"), [(OSError(28, "x"), "no space left"), (PermissionError(13, "x"), "not writable")]
)
def test_what_the_disk_refuses_is_one_line(error: OSError, words: str) -> None:
    with pytest.raises(UserError, match=words), one_line_io_errors("runs/x"):
        raise error


def test_what_is_refused_elsewhere_is_not_blamed_on_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    cases = {
        f"{tmp_path}/home/.ray/token": f"HOME, which is {tmp_path}/home, to a folder that can be written",
        "/opt/cache/x": "see to it that it can be written",
        f"{tmp_path}/run/annotations/x": "or name another folder",
    }
    for file, mend in cases.items():
        with pytest.raises(UserError) as caught, one_line_io_errors(f"{tmp_path}/run"):
            raise PermissionError(errno.EACCES, "Permission denied", file)
        where = f"{tmp_path}/run" if "annotations" in file else file
        assert str(caught.value).startswith(f"{where}: not writable: give this user the right to write there, or ")
        assert str(caught.value).endswith(mend)


@pytest.mark.parametrize(
    ("code", "kind"), [("ACCESS_DENIED", UserError), ("NO_SUCH_BUCKET", UserError), ("NETWORK_CONNECTION", StartError)]
)
def test_a_store_that_does_not_answer_may_answer_later(code: str, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="the object store refused"), one_line_io_errors("s3://b/run"):
        raise OSError(
            f"When reading information for key 'x' in bucket 'b': AWS Error {code} during HeadObject operation"
        )


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="not writable"):
        Store(str(tmp_path / "file" / "run")).make()


def test_an_unknown_scheme_is_named() -> None:
    with pytest.raises(UserError, match="nowhere://x"):
        Store("nowhere://x")
