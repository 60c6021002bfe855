"""A run whose directory and dataset are on an object store: the same bytes as on a disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyarrow import fs

from benchmarks.kills import digests
from tests.integration.conftest import Command, scripted
from tests.s3 import local_s3

pytestmark = pytest.mark.more


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The endpoint of a local S3 server that holds the bucket `corpus`."""
    with local_s3(monkeypatch) as endpoint:
        yield endpoint


def test_a_run_on_s3_equals_one_on_disk(visualprm: Command, finished: Path, bucket: str) -> None:
    config = finished / "config.yaml"
    query = f"?endpoint_override={bucket}&scheme=http"
    places = [f"run_dir=s3://corpus/run{query}", f"output_dir=s3://corpus/data{query}"]
    done = visualprm("dataset", config, *places)
    assert done.returncode == 0, done.stderr[-3000:]
    filesystem, _ = fs.FileSystem.from_uri(f"s3://corpus/data{query}")
    infos = filesystem.get_file_info(fs.FileSelector("corpus/data"))
    stored = {
        info.base_name: hashlib.sha256(filesystem.open_input_stream(info.path).read()).hexdigest() for info in infos
    }
    assert stored == digests(finished / "data")
    assert "nothing to do" in visualprm("dataset", config, *places).stdout
    assert "24 of 24" in visualprm("status", f"s3://corpus/run{query}").stdout


def test_a_missing_bucket_is_one_line(visualprm: Command, tmp_path: Path, bucket: str) -> None:
    query = f"?endpoint_override={bucket}&scheme=http"
    done = visualprm("dataset", scripted(tmp_path), f"run_dir=s3://nowhere/run{query}")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "nowhere" in done.stderr
