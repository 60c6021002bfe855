"""How long S3 is waited for."""

from __future__ import annotations

import pickle
import socket
import time

import pytest
from pyarrow import fs

from pipeline import s3
from pipeline.store import open_uri

ADDRESS = "s3://name:word@corpus/run?endpoint_override={}&scheme=http&region=eu-north-1"


def test_a_store_that_takes_connections_and_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "ANSWER_S", 1.0)
    monkeypatch.setattr(s3, "TRIES", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store, path = open_uri(ADDRESS.format(f"127.0.0.1:{silent.getsockname()[1]}"))
        began = time.monotonic()
        with pytest.raises(OSError, match="NETWORK_CONNECTION"):
            store.get_file_info(path)
    # Two seconds and a pause; by Arrow's own rule it is a minute at least.
    assert time.monotonic() - began < 30


def test_all_that_an_address_says_of_a_store_holds() -> None:
    address = ADDRESS.format("127.0.0.1:9")
    said, _ = fs.FileSystem.from_uri(address)
    store, path = open_uri(address)
    assert path == "corpus/run"
    _, (before,) = said.__reduce__()
    for found in (store, pickle.loads(pickle.dumps(store))):
        _, (after,) = found.__reduce__()
        waits = {"connect_timeout": s3.ANSWER_S, "request_timeout": s3.ANSWER_S}
        assert after == {**before, **waits}


def test_without_credentials_in_the_address_none_are_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "from the environment, or a role whose keys change")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "word")
    store, _ = open_uri("s3://corpus/run?endpoint_override=127.0.0.1:9&scheme=http&region=eu-north-1")
    assert store.__reduce__()[1][0]["access_key"] is None


def test_other_file_systems_stay_as_they_are() -> None:
    local = fs.LocalFileSystem()
    assert s3.bounded(local) is local
