"""A handle on one worker process of the verifier: started, asked, waited for, ended.

It is a plain subprocess and not `multiprocessing`'s, whose spawned children import the caller's main module again: in a
Ray worker that is Ray, and may be vLLM.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from stages.verify.compat import ReferenceMode
from stages.verify.finding import Finding
from stages.verify.worker import DIED, READY

MEMORY_BYTES = 1 << 30
"""Address space of one worker."""
START_S = 300.0
"""Seconds that a worker may take to import sympy on a busy machine."""

_ROOT = Path(__file__).resolve().parents[2]
_PROGRAM = "import sys; from stages.verify.worker import main; main(float(sys.argv[1]), int(sys.argv[2]))"


class WorkerLost(RuntimeError):
    """A worker process is gone, or `silent` for longer than it may be, or only its `child` died."""

    def __init__(self, message: str, silent: bool = False, child: bool = False) -> None:
        super().__init__(message)
        self.silent = silent
        self.child = child


class Worker:
    """A handle on one process of `worker.py`, used by one thread at a time."""

    def __init__(self, limit_s: float) -> None:
        path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(limit_s), str(MEMORY_BYTES)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # The same hashes in every run, so that sympy takes the same path; and Ctrl-C is the caller's business.
            env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"},
            start_new_session=True,
            bufsize=0,
        )
        self._asked = 0
        self._rest = b""

    def wait_ready(self) -> None:
        """Returns when the process has imported everything.

        Raises:
            WorkerLost: it ended, or took longer than `START_S`.
        """
        if self._line(time.monotonic() + START_S) != READY:
            raise WorkerLost("not a verifier process")

    def ask(self, gold: str, answer: str, modes: Sequence[ReferenceMode], wall_s: float) -> Finding | str:
        """The finding, or why there is none; by `math`, or by the reference's modes if there are any.

        Raises:
            WorkerLost: no reply within `wall_s` seconds, or the process is gone, or its child died otherwise than of
                the time limit.
        """
        assert self.process.stdin is not None
        self._asked += 1
        deadline = time.monotonic() + wall_s
        try:
            self.process.stdin.write(json.dumps([self._asked, gold, answer, modes]).encode() + b"\n")
        except (OSError, ValueError) as error:
            raise WorkerLost(f"the verifier process is gone: {error}") from error
        while True:
            number, found = json.loads(self._line(deadline))
            # An older number: a child died between two requests, and the last one was answered twice.
            if number in (None, self._asked):
                if isinstance(found, str) and found.startswith(DIED):
                    raise WorkerLost(found, child=True)
                return found if isinstance(found, str) else Finding(*found)

    def _line(self, deadline: float) -> bytes:
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        while b"\n" not in self._rest:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                raise WorkerLost("the verifier process is silent", silent=True)
            chunk = os.read(descriptor, 65536)
            if not chunk:
                raise WorkerLost("the verifier process is gone")
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def kill(self) -> None:
        """Ends the process and, with it, its child."""
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self.process.wait()
