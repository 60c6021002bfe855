"""One driver at a time on S3, against a local server whose puts are made atomic, as S3's are."""

from __future__ import annotations

import json
import pickle
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from moto.s3.responses import S3Response

from pipeline.errors import UserError
from pipeline.lock import LockLost, s3
from pipeline.lock.s3_object import S3Object, UnconditionalError, _client
from pipeline.store import Store
from tests.places import ROOT
from tests.s3 import local_s3


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    lock, put = threading.Lock(), S3Response.put_object

    def one_at_a_time(self: S3Response) -> Any:
        with lock:
            return put(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(S3Response, "put_object", one_at_a_time)
        with local_s3(patch, here=True) as found:
            yield found


@pytest.fixture
def uri(endpoint: str, request: pytest.FixtureRequest) -> str:
    """A run directory of the test's own."""
    name = re.sub(r"\W", "-", request.node.name)
    return f"s3://corpus/{name}?endpoint_override={endpoint}&scheme=http"


def claim(uri: str, holder: str) -> None:
    """What another driver that comes in at this moment does."""
    store = Store(uri)
    place = S3Object.at(uri, store.filesystem, store.path("driver.lock"))
    s3._take(uri, place, s3._Claim(holder, holder))


def test_only_one_of_two_drivers_at_the_same_instant_gets_it(uri: str) -> None:
    start, won, refused = threading.Barrier(8), list[int](), list[str]()

    def drive(number: int) -> None:
        start.wait()
        try:
            claim(uri, f"driver {number}")
            won.append(number)
        except UserError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=drive, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert len(refused) == 7
    assert all(f"another driver works on this run (driver {won[0]})" in text for text in refused)
    assert Store(uri).driver() == f"driver {won[0]}"


def test_a_released_lock_is_free_at_once_and_the_next_drivers(uri: str) -> None:
    store = Store(uri)
    assert store.driver() is None
    for _ in range(2):
        with store.lock():
            assert "process" in (store.driver() or "")
            store.write_text("x", "y")
        assert store.driver() is None


AHEAD = """
import sys, time
now = time.time
time.time = lambda: now() + 60
from pipeline.errors import UserError
from pipeline.store import Store
try:
    with Store(sys.argv[1]).lock():
        print("got it")
except UserError as error:
    print(error)
"""


def test_a_driver_whose_clock_is_ahead_is_refused(uri: str) -> None:
    with Store(uri).lock():
        done = subprocess.run([sys.executable, "-c", AHEAD, uri], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "another driver works on this run (process" in done.stdout
    assert "lapses 30 s after its last sign of life" in done.stdout


def test_a_killed_drivers_lock_lapses_by_the_stores_clock(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    claim(uri, "driver 1")
    with pytest.raises(UserError, match="driver 1"):
        claim(uri, "driver 2")
    get = S3Object.get

    def later(self: S3Object) -> Any:
        found = get(self)
        return found and type(found)(found.text, found.tag, found.age_s + 31)

    monkeypatch.setattr(S3Object, "get", later)
    assert Store(uri).driver() is None
    claim(uri, "driver 2")
    monkeypatch.undo()
    assert Store(uri).driver() == "driver 2"


def test_an_old_versions_lock_is_heeded(uri: str) -> None:
    Store(uri).write_text("driver.lock", "process 7 on elsewhere")
    with pytest.raises(UserError, match="process 7 on elsewhere"), Store(uri).lock():
        pass


def test_a_driver_that_lost_its_lock_is_stopped_and_leaves_it_alone(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "HEARTBEAT_S", 0.1)

    def cut_off() -> None:
        with Store(uri).lock():
            monkeypatch.setattr(s3, "LAPSE_S", -1.0)
            claim(uri, "driver 2")
            time.sleep(30)

    with pytest.raises(LockLost, match=r"lost the lock: driver 2 works on this run now"):
        cut_off()
    monkeypatch.undo()
    assert Store(uri).driver() == "driver 2"


def test_it_commits_nothing_more(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(uri)
    with store.lock():
        fence = pickle.loads(pickle.dumps(store.fence))
        store.write_text("before", "")
        fence.check()
        monkeypatch.setattr(s3, "LAPSE_S", -1.0)
        claim(uri, "driver 2")
        for commit in (fence.check, store.check_lock, lambda: store.write_text("after", "")):
            with pytest.raises(LockLost, match="driver 2"):
                commit()
    assert (store.exists("before"), store.exists("after")) == (True, False)


def test_a_lock_whose_answer_was_lost_is_ones_own(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put, lost = S3Object.put, [True]

    def without_answer(self: S3Object, text: str, replaces: str | None) -> str | None:
        # The client tries again, and finds what it put.
        tag = put(self, text, replaces)
        return None if lost and lost.pop() else tag

    monkeypatch.setattr(S3Object, "put", without_answer)
    monkeypatch.setattr(s3, "HEARTBEAT_S", 0.1)
    with Store(uri).lock():
        lost.append(True)
        time.sleep(0.5)
        assert not lost
    assert Store(uri).driver() is None


def unheeded(self: S3Object, text: str, replaces: str | None) -> str | None:
    return str(_client(self).put_object(Bucket=self.bucket, Key=self.key, Body=text.encode())["ETag"])


def unknown(self: S3Object, text: str, replaces: str | None) -> str | None:
    raise UnconditionalError


@pytest.mark.parametrize("put", [unheeded, unknown])
def test_a_store_without_conditions_is_told_of(
    put: Any, uri: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(S3Object, "put", put)
    store = Store(uri)
    with store.lock():
        assert "this store has no conditional writes: start no second driver" in capsys.readouterr().err
        assert "process" in store.read_text("driver.lock")
        with pytest.raises(UserError, match="another driver works on this run"), Store(uri).lock():
            pass
    assert not store.exists("driver.lock")


def test_a_refusal_of_the_store_is_one_line(endpoint: str) -> None:
    uri = f"s3://nowhere/run?endpoint_override={endpoint}&scheme=http"
    with (
        pytest.raises(UserError, match=r"s3://nowhere/run.*: the object store refused: .*bucket") as caught,
        Store(uri).lock(),
    ):
        pass
    assert "\n" not in str(caught.value)


def test_credentials_and_options_of_the_address_are_heeded(endpoint: str) -> None:
    uri = "s3://key:sec%2Fret@bucket/a/run?region=eu-west-3&endpoint_override=h:9000&scheme=http"
    store = Store(uri)
    place = S3Object.at(uri, store.filesystem, store.path("driver.lock"))
    assert (place.bucket, place.key, place.region) == ("bucket", "a/run/driver.lock", "eu-west-3")
    assert (place.endpoint, place.credentials, place.virtual) == ("http://h:9000", ("key", "sec/ret"), False)
    assert json.loads(s3._Claim("1", "me").text()) == {"id": "1", "holder": "me", "released": False}
