"""Who may work in a run directory: on a disk, and on a store that can only lapse. On S3: test_s3.py."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from pyarrow import fs

from pipeline import atomic
from pipeline.errors import UserError
from pipeline.lock import LockLost, disk, lapsing, lost
from pipeline.lock.lapsing import lapsing_lock
from pipeline.store import Store
from tests.waiting import wait_until


def hold(folder: str, ready: Event, end: Event) -> None:
    with Store(folder).lock():
        ready.set()
        end.wait(30)


def test_a_second_driver_is_refused_and_a_dead_one_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "LINGER_S", 0.1)
    context = multiprocessing.get_context("spawn")
    ready, end = context.Event(), context.Event()
    process = context.Process(target=hold, args=(str(tmp_path), ready, end))
    process.start()
    assert ready.wait(60)
    store = Store(str(tmp_path))
    assert (store.driver() or "").startswith(f"process {process.pid} on ")
    with (
        pytest.raises(UserError, match=f"another driver works on this run .process {process.pid}"),
        store.lock(),
    ):
        pass
    process.kill()
    process.join()
    assert store.driver() is None
    with store.lock():
        assert (store.driver() or "").startswith(f"process {os.getpid()} on ")
        store.check_lock()
    assert store.driver() is None


def test_nobody_works_where_no_run_is(tmp_path: Path) -> None:
    assert Store(str(tmp_path / "new")).driver() is None


DISK = fs.LocalFileSystem()
"""In place of a store without conditional puts."""


def test_a_lock_that_lapses_and_the_refusal_says_when(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "driver.lock"
    path.write_text("process 7 on elsewhere")
    with (
        pytest.raises(UserError, match=r"process 7 on elsewhere.* killed lapses 30 s after"),
        lapsing_lock("gs://b/run", DISK, str(path)),
    ):
        pass
    then = time.time() - 31
    os.utime(path, (then, then))
    with lapsing_lock("gs://b/run", DISK, str(path)):
        assert f"process {os.getpid()}" in path.read_text()
    assert not path.exists()
    assert (
        capsys.readouterr().err.count("gs://b/run: this store has no conditional writes: start no second driver") == 2
    )


def test_a_lock_that_lapses_outlives_a_write_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lapsing, "HEARTBEAT_S", 0.02)
    write, beats = atomic.write, []

    def refused_once(path: str, text: str, filesystem: fs.FileSystem) -> None:
        beats.append(path)
        if len(beats) == 2:
            raise OSError("the object store refused")
        write(path, text, filesystem)

    monkeypatch.setattr(lapsing.atomic, "write", refused_once)
    path = tmp_path / "driver.lock"
    with lapsing_lock("gs://b/run", DISK, str(path)):
        wait_until(lambda: len(beats) >= 4)
    assert not path.exists()


def test_a_lock_that_another_driver_took_stays_his_and_ends_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Longer than a write to a busy disk, so that the other driver's is not in the midst of a beat.
    monkeypatch.setattr(lapsing, "HEARTBEAT_S", 1.0)
    path = tmp_path / "driver.lock"

    def cut_off() -> None:
        with lapsing_lock("gs://b/run", DISK, str(path)):
            atomic.write(path, "process 7 on elsewhere")
            time.sleep(30)

    with pytest.raises(LockLost, match="gs://b/run: lost the lock: process 7 on elsewhere works on this run now"):
        cut_off()
    assert path.read_text() == "process 7 on elsewhere"


def test_a_lost_lock_comes_from_a_worker_as_it_is() -> None:
    found = pickle.loads(pickle.dumps(lost("s3://b/run", "process 7 on elsewhere")))
    assert isinstance(found, LockLost)
    assert str(found).startswith("s3://b/run: lost the lock: process 7 on elsewhere works")
