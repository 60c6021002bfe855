"""`visualprm publish` on a store that fails, for good or now and then, and several drivers at once."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyarrow import fs

from pipeline.lock import LAPSE_S
from tests.faults.place import Place
from tests.faults.results import CARRIED_ON, HANG, MENDED, REFUSED, SILENT, TRACEBACK, Result
from tests.faults.store import FAULTS, Door, Fault, faulty_s3
from tests.places import ROOT

FIRST = (12, 40)
"""Numbers of the first request that fails: while the run is looked at, and while its ledger is read."""
EVERY = 5
HANGS_S = 180.0
"""Within which a command gives a store up, on a busy machine; its own waits end within a minute (`pipeline/s3/`)."""
DRIVERS = 4


@dataclass(frozen=True)
class Remote:
    """The run of a `Place` on a store, behind a door."""

    place: Place
    options: str
    door: Door

    def command(self) -> list[str]:
        words = ["publish", f"s3://corpus/run{self.options}", f"output_dir=s3://corpus/data{self.options}"]
        return [sys.executable, "-m", "pipeline.cli", *words]

    def publish(self) -> subprocess.CompletedProcess[str] | None:
        """None where it hung."""
        try:
            return subprocess.run(self.command(), cwd=ROOT, capture_output=True, text=True, timeout=HANGS_S)
        except subprocess.TimeoutExpired:
            return None

    def same_shards(self, folder: Path) -> bool:
        """Whether the shards on the store have the bytes of the undisturbed run's."""
        store, _ = fs.FileSystem.from_uri(f"s3://corpus/data{self.options}")
        folder.mkdir(exist_ok=True)
        fs.copy_files("corpus/data", str(folder), store, fs.LocalFileSystem())
        return self.place.same_shards(folder)


def results(folder: Path, only: str = "") -> Iterator[Result]:
    """Every fault; `only` those that have that in their names."""
    place = Place(folder / "place")
    with pytest.MonkeyPatch.context() as patch, faulty_s3(patch) as (endpoint, door):
        remote = Remote(place, f"?endpoint_override={endpoint}&scheme=http", door)
        store, _ = fs.FileSystem.from_uri(f"s3://corpus/run{remote.options}")
        fs.copy_files(str(place.kept / "run"), "corpus/run", fs.LocalFileSystem(), store)
        # The disk's: on a store it would be that of a driver that may live.
        store.delete_file("corpus/run/driver.lock")
        for fault in FAULTS:
            for first in FIRST:
                if only in fault:
                    what = f"publish, from request {first} on"
                    yield Result(what, fault, *_for_good(remote, fault, first, folder / f"{fault}-{first}"))
        for fault in FAULTS:
            # A request that hangs is tried again like the others, but each costs 5 s.
            if fault != "hang" and only in fault:
                what = f"publish, every {EVERY}th request"
                yield Result(what, fault, *_now_and_then(remote, fault, folder / f"{fault}-now-and-then"))
        if only in "drivers":
            yield Result("publish", f"{DRIVERS} drivers at once", *_together(remote, folder / "together"))


def _for_good(remote: Remote, fault: Fault, first: int, folder: Path) -> tuple[str, str]:
    remote.door.open(lambda number: fault if number >= first else None)
    began = time.monotonic()
    done = remote.publish()
    took = f"{time.monotonic() - began:.0f} s"
    failed = remote.door.failed
    remote.door.open()
    if done is None:
        return HANG, took
    said = f"{took}, {failed} failed, status {done.returncode}: {done.stderr}"
    if "Traceback" in done.stderr:
        return TRACEBACK, said
    if done.returncode == 0:
        return (CARRIED_ON if not failed else SILENT), said
    # The lock of a driver that could not release it lapses.
    time.sleep(LAPSE_S + 1)
    again = remote.publish()
    mended = again is not None and again.returncode == 0 and remote.same_shards(folder)
    return (REFUSED if mended else SILENT), f"{said}; then {again.stderr if again else HANG}"


def _now_and_then(remote: Remote, fault: Fault, folder: Path) -> tuple[str, str]:
    remote.door.open(lambda number: fault if number % EVERY == EVERY - 1 else None)
    done = remote.publish()
    failed = remote.door.failed
    remote.door.open()
    if done is None:
        return HANG, f"{failed} failed"
    if "Traceback" in done.stderr:
        return TRACEBACK, done.stderr
    same = failed and done.returncode == 0 and remote.same_shards(folder)
    return (MENDED if same else SILENT), f"{failed} failed: {done.stderr}"


def _together(remote: Remote, folder: Path) -> tuple[str, str]:
    remote.door.open()
    running = [
        subprocess.Popen(remote.command(), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(DRIVERS)
    ]
    try:
        said = [process.communicate(timeout=HANGS_S)[1] for process in running]
    except subprocess.TimeoutExpired:
        return HANG, ""
    finally:
        for process in running:
            process.kill()
    if any("Traceback" in text for text in said):
        return TRACEBACK, "\n".join(said)
    statuses = sorted(process.returncode for process in running)
    excluded = statuses[0] == 0 and set(statuses) <= {0, 2} and 2 in statuses
    refused = all("another driver works on this run" in text for text in said if text)
    right = excluded and refused and remote.same_shards(folder)
    return (REFUSED if right else SILENT), f"{statuses}: {said}"
