"""Every place that writes × a disk that fails there (EIO), that is read-only (EROFS), or that is full (ENOSPC).

A small library stands before the C library's calls (`failing_disk.c`, compiled here). It is loaded into one process, in
which all commands run; environment variables say which paths fail, and how.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from unittest.mock import patch

from tests.faults.place import Place, Said
from tests.faults.results import CARRIED_ON, REFUSED, SILENT, TRACEBACK, Result
from tests.places import ROOT

FAULTS = {"full (ENOSPC)": errno.ENOSPC, "read-only (EROFS)": errno.EROFS, "fails (EIO)": errno.EIO}
DATASET = ("dataset", "{config}")


@dataclass(frozen=True, slots=True)
class Writer:
    """A command, and a part of the paths of what it writes."""

    what: str
    path: str
    makes: str = "now/data"
    """What the command leaves: a folder below the place."""
    command: tuple[str, ...] = DATASET
    ready: tuple[tuple[str, ...], ...] = ()
    """Commands that go before, without a fault."""


RUN = ("problems/", "problems.json", "quarantine/", "config.yaml", "ledger.json", "annotations/", "published.json")
BOUGHT = ("bon", "sample", "{config}", "--n", "2", "--out", "{now}/pool")
WRITERS = (
    *(Writer(f"run: {name}", f"/now/run/{name}") for name in (*RUN, "manifest.json", "engines/")),
    Writer("dataset: shards", "/now/data.tmp-new/0"),
    *(Writer(f"dataset: {name}", f"/now/data.tmp-new/{name}") for name in ("README.md", "stats.json", "manifest.json")),
    Writer(
        "a run's verdicts again",
        "/now/run/reverified",
        command=("publish", "{now}/run", "--reverify"),
        ready=(DATASET,),
    ),
    Writer(
        "an export",
        "/now/out.tmp-new",
        "now/out",
        ("export", "{now}/data", "messages", "{now}/out"),
        (DATASET,),
    ),
    Writer("a pool of candidates", "/now/pool", "now/pool", BOUGHT),
)
"""A new command that writes has an entry here."""


def results(folder: Path, only: str = "") -> Iterator[Result]:
    """The command with the fault, and then the same command without: it must give what an undisturbed one gives."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise SystemExit("faults: writers needs a C compiler: install gcc")
    library, source = folder / "failing.so", Path(__file__).with_name("failing_disk.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", str(source), "-o", str(library), "-ldl"], check=True)
    command = [sys.executable, "-m", "tests.faults.writers", str(folder / "place"), only]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LD_PRELOAD": str(library)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            yield Result(**json.loads(line))
    if child.returncode:
        raise SystemExit(f"faults: writers ended with status {child.returncode}")


def _results(place: Place, only: str) -> Iterator[Result]:
    for writer in WRITERS:
        if only not in writer.what:
            continue
        _begin(writer, place)
        done = _call(writer, place)
        if done.status:
            raise RuntimeError(f"{writer.what}: {done.err}")
        wanted = _contents(place.folder.parent / writer.makes)
        for fault, number in FAULTS.items():
            _begin(writer, place)
            yield Result(writer.what, fault, *_outcome(writer, place, wanted, number))


def _outcome(writer: Writer, place: Place, wanted: Mapping[str, bytes], number: int) -> tuple[str, str]:
    with patch.dict(os.environ, FAULT_PATH=writer.path, FAULT_ERRNO=str(number)):
        broken = _call(writer, place)
    again = _call(writer, place)
    if any("Traceback" in one.err or one.status not in (0, 2) for one in (broken, again)):
        return TRACEBACK, broken.err + again.err
    found = _contents(place.folder.parent / writer.makes)
    if broken.status == 0 and "could not be noted" in broken.err:
        # A card can do without the versions that drew, and then says so.
        same = all(found.get(name) == data for name, data in wanted.items() if name.endswith(".parquet"))
        return (CARRIED_ON if same else SILENT), broken.err
    if broken.status == 0 or again.status or found != wanted:
        return SILENT, f"{broken.err} then {again.err}"
    last = broken.err.strip().splitlines()[-1]
    # The right place is blamed: the folder that the command writes to.
    return (REFUSED if broken.one_line and str(place.folder) in last else TRACEBACK), last


def _begin(writer: Writer, place: Place) -> None:
    shutil.rmtree(place.folder)
    place.folder.mkdir()
    for command in writer.ready:
        place.call(*_filled(command, place))


def _call(writer: Writer, place: Place) -> Said:
    return place.call(*_filled(writer.command, place))


def _filled(command: tuple[str, ...], place: Place) -> list[str]:
    return [word.format(config=place.config, now=place.folder) for word in command]


def _contents(folder: Path) -> Mapping[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


if __name__ == "__main__":
    for one in _results(Place(Path(sys.argv[1])), sys.argv[2]):
        print(json.dumps(asdict(one)), flush=True)
