"""Keeps other libraries' lines from the terminal: Ray, vLLM, transformers and their processes write into a log file.

At the level of file descriptors, because some of them write from C++ or from processes of their own. Python's streams are
replaced, too, so that what Ray brings from its workers can be looked at: lines of ours and faults reach the terminal.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from pyarrow import fs

from pipeline import atomic
from pipeline.errors import UserError
from pipeline.store import beside, open_uri
from pipeline.terminal import foreign
from pipeline.terminal.speak import Streams, apart, is_apart, say, write

RAY_ENV = {"RAY_DEDUP_LOGS": "0", "RAY_COLOR_PREFIX": "0"}
"""Ray reads it when it is imported. Lines of ours are looked for among workers': none may be held back as like another."""
TAIL_BYTES = 200_000
"""Of a log, in which the telling line is looked for."""


@contextlib.contextmanager
def quiet(folder: str, goes_on: bool = True) -> Iterator[None]:
    """In the block only `say`, `tell` and bars reach the terminal. The log is a new file in `folder`, named at the end.

    A log that stays empty is removed. In a block within a block the outer one's log goes on.

    Args:
        goes_on: whether the same command takes up what this one did, should it end without a word.
    """
    if is_apart():
        yield
        return
    os.environ.update(RAY_ENV)
    log = Log(folder)
    with contextlib.ExitStack() as stack:
        stack.callback(log.close)
        streams = Streams(_own(sys.stdout, stack), _own(sys.stderr, stack))
        stack.enter_context(apart(streams))
        stack.enter_context(_survived(log, streams.err, goes_on))
        try:
            with _redirected(log, streams.err):
                yield
        except (UserError, KeyboardInterrupt, SystemExit):
            _name(log)
            raise
        except BaseException:
            log.write(traceback.format_exc())
            _name(log, log.last_words())
            raise
        _name(log)


def _name(log: Log, last_words: str | None = None) -> None:
    if log.used:
        told = f"; of which this tells most: {last_words}" if last_words else ""
        say(f"what Ray, vLLM and others said is in {log.keep()}{told}")


class Log:
    """A file of others' lines. Where the folder is in an object store, it is written here and copied there at the end."""

    def __init__(self, folder: str) -> None:
        self._filesystem, root = open_uri(folder)
        name = time.strftime("%Y%m%d-%H%M%S.log")
        local = isinstance(self._filesystem, fs.LocalFileSystem)
        self.place = os.path.join(folder, name) if local else beside(folder, f"/{name}")
        self._remote = None if local else f"{root}/{name}"
        self.path = Path(root if local else tempfile.mkdtemp(prefix="visualprm-"), name)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Never closed: handlers that libraries have made of these streams, and their processes, live longer than the block.
        self.descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)

    @property
    def used(self) -> bool:
        return self.path.exists() and self.path.stat().st_size > 0

    def write(self, text: str) -> None:
        """Without colours; each line's end is a newline."""
        if text:
            os.write(self.descriptor, foreign.plain(text).encode(errors="replace"))

    def last_words(self) -> str | None:
        """The line that says most of why something went wrong."""
        with self.path.open("rb") as file:
            file.seek(max(0, self.path.stat().st_size - TAIL_BYTES))
            return foreign.telling(file.read().decode(errors="replace").replace("\r", "\n").splitlines())

    def keep(self) -> str:
        """Brings the file where it belongs; where that is."""
        if self._remote is None:
            return self.place
        try:
            atomic.write(self._remote, self.path.read_bytes(), self._filesystem)
        except OSError:
            # The store may be what went wrong.
            return str(self.path)
        return self.place

    def close(self) -> None:
        if not self.used:
            self.path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                self.path.parent.rmdir()


def _own(stream: TextIO, stack: contextlib.ExitStack) -> TextIO:
    """A stream that stays the terminal's when the descriptor below the given one becomes the log's."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):
        return stream
    if descriptor not in (1, 2):
        return stream
    stream.flush()
    own = open(os.dup(descriptor), "w", encoding=stream.encoding, errors=stream.errors, buffering=1)  # noqa: SIM115
    stack.enter_context(contextlib.suppress(BrokenPipeError))
    return stack.enter_context(own)


@contextlib.contextmanager
def _redirected(log: Log, terminal: TextIO) -> Iterator[None]:
    before = sys.stdout, sys.stderr
    kept = [os.dup(descriptor) for descriptor in (1, 2)]
    text = _Text(log, terminal)
    for descriptor in (1, 2):
        os.dup2(log.descriptor, descriptor)
    sys.stdout = sys.stderr = text
    try:
        yield
    finally:
        text.finish()
        sys.stdout, sys.stderr = before
        for descriptor, old in zip((1, 2), kept, strict=True):
            os.dup2(old, descriptor)
            os.close(old)


class _Text(io.TextIOBase):
    """What Python code writes, line by line into the log. Ours and faults among it go to the terminal, each fault once."""

    encoding = "utf-8"

    def __init__(self, log: Log, terminal: TextIO) -> None:
        self._log, self._terminal = log, terminal
        self._rest: dict[int, str] = defaultdict(str)
        self._lock = threading.Lock()
        self._heard: set[str] = set()
        self._ended = False

    def fileno(self) -> int:
        return self._log.descriptor

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        # Of each thread for itself: `print` writes a line and its end one after the other.
        thread = threading.get_ident()
        with self._lock:
            *lines, self._rest[thread] = (self._rest[thread] + text).replace("\r", "\n").split("\n")
        if lines:
            self._log.write("".join(f"{line}\n" for line in lines))
        for line in lines:
            self._hear(foreign.plain(line))
        return len(text)

    def finish(self) -> None:
        """Writes what has no end. What libraries write afterwards goes to the log alone."""
        with self._lock:
            self._ended = True
            left = "".join(f"{line}\n" for line in self._rest.values() if line)
            self._rest.clear()
        self._log.write(left)

    def _hear(self, line: str) -> None:
        if self._ended:
            return
        own = foreign.ours(line)
        if own is None:
            words = foreign.fault(line)
            if words is None or words in self._heard:
                return
            self._heard.add(words)
            write(f"{words} ({foreign.shortened(line)}); more in {self._log.path}", self._terminal)
        elif own[0]:
            last = self._log.last_words()
            write(f"{own[1]}{f' ({last})' if last else ''}; more in {self._log.path}", self._terminal)
        else:
            write(own[1], self._terminal)


@contextlib.contextmanager
def _survived(log: Log, terminal: TextIO, goes_on: bool) -> Iterator[None]:
    """Should this process be ended without running any more code of ours, `survivor` says so."""
    try:
        terminal.fileno()
    except (OSError, ValueError):
        yield
        return
    command = [
        sys.executable,
        "-S",
        "-m",
        "pipeline.terminal.survivor",
        str(log.path),
        *(["--goes-on"] if goes_on else []),
    ]
    # In a session of its own: Ctrl-C is for this process, not for that one.
    survivor = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=terminal,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert survivor.stdin is not None
    try:
        yield
    finally:
        with contextlib.suppress(OSError), survivor.stdin as door:
            door.write(b"all is said\n")
        survivor.wait()
