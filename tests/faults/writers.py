"""Every place that writes × a disk that fails there (EIO), that is read-only (EROFS), or that is full (ENOSPC).

A small library stands before the C library's calls (`failing_disk.c`, compiled here), so each fault hits one place. Of a
full disk there is also a real one, where mounting is allowed: a small tmpfs.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.place import Place
from tests.faults.results import HANG, HARMLESS, REFUSED, SILENT, TRACEBACK, Result
from tests.places import ROOT

FAULTS = {"full": errno.ENOSPC, "read-only": errno.EROFS, "fails": errno.EIO}
LIMIT_S = 600


@dataclass(frozen=True, slots=True)
class Writer:
    """A command, and a part of the paths of what it writes. `ready` are commands that go before, without a fault."""

    what: str
    path: str
    command: Sequence[str]
    makes: str
    """What the command leaves: a folder or file below the place."""
    ready: tuple[Sequence[str], ...] = ()


def _writers() -> list[Writer]:
    dataset = ["-m", "tests.faults.alone", "dataset", "{config}"]
    run = [
        Writer(f"run: {name}", f"/now/run/{name}", dataset, "now/data")
        for name in ("problems/", "problems.json", "quarantine/", "config.yaml", "ledger.json", "manifest.json")
    ]
    ledger = [Writer(f"run: {name}", f"/now/run/{name}", dataset, "now/data") for name in ("annotations/", "engines/")]
    published = [
        Writer("run: published.json", "/now/run/published", dataset, "now/data"),
        Writer("dataset: shards", "/now/data.tmp-new/0", dataset, "now/data"),
        Writer("dataset: card", "/now/data.tmp-new/README.md", dataset, "now/data"),
        Writer("dataset: manifest", "/now/data.tmp-new/manifest.json", dataset, "now/data"),
    ]
    export = ["-m", "pipeline.cli", "export", "{now}/data", "messages", "--out", "{now}/exported"]
    return [*run, *ledger, *published, Writer("export", "/now/exported", export, "now/exported", (dataset,))]


WRITERS = _writers()


def results(folder: Path, only: str = "") -> Iterator[Result]:
    """The command with the fault, and then the same command without: it must give what an undisturbed one gives."""
    library = folder / "failing.so"
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        yield Result("all", "no C compiler is here", HARMLESS)
        return
    source = Path(__file__).with_name("failing_disk.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", str(source), "-o", str(library), "-ldl"], check=True)
    place = Place(folder / "place")
    for writer in WRITERS:
        if only not in writer.what:
            continue
        wanted = _undisturbed(writer, place)
        for fault, number in FAULTS.items():
            _begin(writer, place)
            outcome, detail = _outcome(
                writer,
                place,
                wanted,
                {"LD_PRELOAD": str(library), "FAULT_PATH": writer.path, "FAULT_ERRNO": str(number)},
            )
            yield Result(writer.what, fault, outcome, detail)


def _begin(writer: Writer, place: Place) -> None:
    shutil.rmtree(place.folder, ignore_errors=True)
    place.folder.mkdir()
    for command in writer.ready:
        _call(command, place)


def _undisturbed(writer: Writer, place: Place) -> Mapping[str, bytes]:
    _begin(writer, place)
    done = _call(writer.command, place)
    if done.returncode:
        raise RuntimeError(f"{writer.what}: {done.stderr}")
    return _contents(place.folder.parent / writer.makes)


def _outcome(writer: Writer, place: Place, wanted: Mapping[str, bytes], faulty: Mapping[str, str]) -> tuple[str, str]:
    try:
        broken = _call(writer.command, place, faulty)
        again = _call(writer.command, place)
    except subprocess.TimeoutExpired:
        return HANG, ""
    if "Traceback" in broken.stderr + again.stderr or broken.returncode not in (0, 1, 2):
        return TRACEBACK, broken.stderr[-1500:] + again.stderr[-1500:]
    if again.returncode or _contents(place.folder.parent / writer.makes) != wanted:
        return SILENT, broken.stderr + again.stderr
    last = (broken.stderr.strip().splitlines() or [""])[-1]
    if broken.returncode == 0:
        return HARMLESS, broken.stderr
    blamed = writer.path.strip("/").split("/")[-1].split(".tmp")[0]
    return (REFUSED if place.folder.name in last else TRACEBACK), f"{last} ({blamed})"


def _call(
    command: Sequence[str], place: Place, more: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    words = [word.format(config=place.config, now=place.folder) for word in command]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **(more or {})}
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LIMIT_S
    )


def _contents(place: Path) -> Mapping[str, bytes]:
    paths = sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]
    return {str(path.relative_to(place)): path.read_bytes() for path in paths}
