"""A store that fails, and two drivers on one run: a line, a bounded time, and the same bytes afterwards."""

from __future__ import annotations

import hashlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyarrow import fs

from benchmarks.kills import digests
from tests.faults.store import FAULTS, Door, Fault, faulty_s3
from tests.integration.conftest import Command, command, environment
from tests.places import ROOT

pytestmark = pytest.mark.more

BOUND_S = 180.0
"""For a command to give up on a store, on a busy machine: its own waits end within a minute (`pipeline/s3/`)."""


@pytest.fixture(scope="module")
def place(finished: Path) -> Iterator[tuple[str, Door]]:
    """A finished run on a store, and the door of that store; its dataset is still to be published."""
    with pytest.MonkeyPatch.context() as patch, faulty_s3(patch) as (endpoint, door):
        options = f"?endpoint_override={endpoint}&scheme=http"
        store, _ = fs.FileSystem.from_uri(f"s3://corpus/run{options}")
        fs.copy_files(str(finished / "run"), "corpus/run", fs.LocalFileSystem(), store)
        # The disk's: on a store it would be that of a driver that may live.
        store.delete_file("corpus/run/driver.lock")
        yield options, door


def published(options: str) -> dict[str, str]:
    store, _ = fs.FileSystem.from_uri(f"s3://corpus/data{options}")
    infos = store.get_file_info(fs.FileSelector("corpus/data", allow_not_found=True))
    return {info.base_name: hashlib.sha256(store.open_input_stream(info.path).read()).hexdigest() for info in infos}


def publish(options: str) -> list[object]:
    return ["publish", f"s3://corpus/run{options}", f"output_dir=s3://corpus/data{options}"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_store_that_stops_answering_is_given_up_in_a_line(
    fault: Fault, place: tuple[str, Door], visualprm: Command, finished: Path
) -> None:
    options, door = place
    door.open(lambda number: fault if number >= 12 else None)
    before = time.monotonic()
    done = visualprm(*publish(options), timeout=BOUND_S)
    assert time.monotonic() - before < BOUND_S
    assert door.failed
    assert done.returncode in (1, 2), done.stderr
    assert "Traceback" not in done.stderr
    assert "the object store" in done.stderr.strip().splitlines()[-1]
    door.open()
    # The lock of a driver that could not release it lapses.
    time.sleep(31)
    done = visualprm(*publish(options))
    assert done.returncode == 0, done.stderr[-3000:]
    assert published(options) == digests(finished / "data")


@pytest.mark.parametrize("fault", ["500", "503", "reset"])
def test_a_fault_now_and_then_changes_nothing(
    fault: Fault, place: tuple[str, Door], visualprm: Command, finished: Path
) -> None:
    options, door = place
    door.open(lambda number: fault if number % 5 == 4 else None)
    done = visualprm(*publish(options), timeout=BOUND_S)
    door.open()
    assert done.returncode == 0, done.stderr[-3000:]
    assert published(options) == digests(finished / "data")


def test_of_two_drivers_at_once_one_publishes(place: tuple[str, Door], finished: Path) -> None:
    options, door = place
    door.open()
    running = [
        subprocess.Popen(
            command(*publish(options)),
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    said = [process.communicate(timeout=BOUND_S)[1] for process in running]
    refused = [text for process, text in zip(running, said, strict=True) if process.returncode == 2]
    assert 1 <= len(refused) < 4, said
    assert all("another driver works on this run (process" in text and text.count("\n") == 1 for text in refused)
    assert {process.returncode for process in running} == {0, 2}
    assert published(options) == digests(finished / "data")
