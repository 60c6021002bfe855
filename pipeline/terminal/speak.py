"""Lines of ours for the person at the terminal, wherever a command says them: here, or in a process of Ray.

`quiet` gives standard output and error of this process to a log file; these functions go on reaching the terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

from tqdm import tqdm

from pipeline.markdown import visible
from pipeline.terminal.foreign import FAULT, LINE


@dataclass(frozen=True, slots=True)
class Streams:
    """Where ours goes."""

    out: TextIO
    err: TextIO


_apart: list[Streams] = []
"""The terminal, while standard output and error are a log's; empty otherwise."""


def say(text: str) -> None:
    """What happens now: a line on standard error, above the bar if there is one.

    From a process of Ray it reaches the driver's terminal through Ray.
    """
    _from_here(text, LINE)


def say_fault(text: str) -> None:
    """What went wrong while the run goes on. For a process of Ray the driver adds what the library said, and the log's name."""
    _from_here(text, FAULT)


def tell(text: str) -> None:
    """What a command found: lines on standard output."""
    write(text, _apart[-1].out if _apart else sys.stdout)


def error_stream() -> TextIO:
    """The terminal's standard error, or what stands in its place."""
    return _apart[-1].err if _apart else sys.stderr


def error_descriptor() -> int:
    """The same for a signal handler, which must not print."""
    try:
        return error_stream().fileno()
    except (OSError, ValueError):
        return 2


def is_apart() -> bool:
    """Whether ours goes elsewhere than to this process's standard output and error."""
    return bool(_apart)


@contextmanager
def apart(streams: Streams) -> Iterator[None]:
    """In the block ours goes there."""
    _apart.append(streams)
    try:
        yield
    finally:
        _apart.pop()


def write(text: str, out: TextIO) -> None:
    """Above the bar, if there is one, and without what would steer a terminal."""
    tqdm.write(visible(text), file=out)
    out.flush()


def _from_here(text: str, mark: str) -> None:
    if _in_worker():
        print(mark + visible(text), file=sys.stderr, flush=True)
    else:
        write(text, error_stream())


def _in_worker() -> bool:
    """Whether this is a process that Ray started for a task or an actor."""
    module = sys.modules.get("ray._private.worker")
    worker = getattr(module, "global_worker", None)
    return worker is not None and worker.mode == getattr(module, "WORKER_MODE", None)
