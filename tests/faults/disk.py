"""Every file of a run and of its dataset × deleted, cut, emptied, and single bits changed as a disk changes them."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NoReturn

from tests.faults.place import Place
from tests.faults.results import FOUND, HANG, HARMLESS, MENDED, REFUSED, SILENT, TRACEBACK, Result

FLIPS = 20
LIMIT_S = 60
"""What takes longer hangs."""


def results(folder: Path, flips: int = FLIPS, only: str = "") -> Iterator[Result]:
    """What became of each fault: by `visualprm publish`, which mends nothing, and by `visualprm dataset`, which does."""
    place = Place(folder)
    for name in place.files():
        for number, fault in enumerate(("deleted", "cut", "emptied", *["a bit"] * flips)):
            if only in name and (fault == "deleted" or (place.kept / name).stat().st_size):
                seed = f"{kind(name)} {number}"
                outcome, detail = _outcome(place, partial(damage, place.folder / name, fault, seed))
                yield Result(kind(name), fault, outcome, f"{name}: {detail}")


def kind(name: str) -> str:
    """Files of one kind are one row."""
    return re.sub(
        r"(annotations|checkpoint|engines|problems)/.*|(train)-.*", lambda found: f"{found[1] or found[2]}…", name
    )


def damage(path: Path, fault: str, seed: str) -> None:
    """Does it to a file; its time stays."""
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    data = bytearray(path.read_bytes())
    if fault == "deleted":
        path.unlink()
        return
    if fault == "a bit":
        rng = random.Random(seed)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data[: len(data) // 2] if fault == "cut" else b"" if fault == "emptied" else data)
    os.utime(path, ns=times)


def _outcome(place: Place, harm: Callable[[], None]) -> tuple[str, str]:
    elsewhere = place.folder / "elsewhere"
    try:
        with _limit():
            place.reset()
            harm()
            # A reader's result must be right, or none.
            published = place.call("publish", str(place.run), f"output_dir={elsewhere}")
            if published.status == 0 and not place.same_shards(elsewhere):
                return SILENT, "publish"
            place.reset()
            harm()
            doctor = [place.call("doctor", str(folder)) for folder in (place.run, place.data)]
            said = place.call("dataset", str(place.config))
            whole = place.dataset_is_whole()
            again = place.call("dataset", str(place.config))
    except TimeoutError:
        return HANG, ""
    for one in (*doctor, published, said, again):
        if "Traceback" in one.err or one.status not in (0, 1, 2):
            return TRACEBACK, one.err
    if said.status:
        return REFUSED, said.err
    if not whole or "nothing to do" not in again.out:
        return SILENT, said.err
    if said.err:
        return MENDED, said.err
    return (FOUND if any(one.status for one in doctor) else HARMLESS), ""


@contextlib.contextmanager
def _limit() -> Iterator[None]:
    def ring(*_: object) -> NoReturn:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(LIMIT_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
