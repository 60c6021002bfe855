"""A verifier process: answers requests that need algebra, one JSON line each, until its caller is gone.

The process imports sympy once and then only forks: a child serves standard input and output. The child may die of
its limit on CPU time, of a crash or of memory; then this process replies in its place and forks the next one,
which is warm at once. Nobody outlives the caller: the end of standard input, or another parent, ends this
process, and the kernel ends the child with it.

Request: `[id, gold, answer, modes]`, with the reference's modes (`compat.py`), or none for mode `math`. Reply:
`[id, [equal, reason]]`, or `[id, why]` if there is no finding; `id` is null in a reply on behalf of a dead child.
The first line is `READY`.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import select
import signal
from typing import NoReturn

from stages.verify import compat
from stages.verify.finding import Finding
from stages.verify.modes import math

READY = b"ready"
"""Written once, when the first request will not have to wait for imports."""
TIMEOUT = "timeout"
"""The reply's text for an answer that took too much CPU time."""
DIED = "the process died"
"""How the reply's text begins if the child died of anything else: a crash, or the kernel's want of memory."""
MAX_REQUESTS = 5_000
"""Requests after which a child makes room for a fresh one, because sympy's caches grow."""

_REQUESTS, _ERRORS = 0, 2
_PR_SET_PDEATHSIG = 1
_PARENT_CHECK_MS = 1_000
_EXIT_DONE, _EXIT_RECYCLE = 0, 3


def main(limit_s: float, memory_bytes: int) -> None:
    """Serves until the caller is gone.

    Args:
        limit_s: CPU seconds for one answer.
        memory_bytes: address space of the child.
    """
    caller = os.getppid()
    # What a library prints must not end up among the replies.
    replies = os.dup(1)
    os.dup2(_ERRORS, 1)
    _warm_up()
    os.write(replies, READY + b"\n")
    status = _EXIT_RECYCLE
    while status != _EXIT_DONE:
        alive, child_end = os.pipe()
        parent = os.getpid()
        child = os.fork()
        if child == 0:
            os.close(alive)
            _serve(replies, limit_s, memory_bytes, parent)
        os.close(child_end)
        status = _wait(child, alive, caller)
        os.close(alive)
        if status not in (_EXIT_DONE, _EXIT_RECYCLE):
            _reply(replies, None, TIMEOUT if status == -signal.SIGPROF else f"{DIED} ({status})")


def _warm_up() -> None:
    """Everything that the first comparison would otherwise import and compile."""
    math.compare_by_library("\\frac{x^2}{2}", "0.5x^2")
    math.compare_by_library("[1, 2)", "1 \\le x < 2")
    gc.collect()
    gc.freeze()


def _wait(child: int, alive: int, caller: int) -> int:
    """The child's exit code (negative: signal), or `_EXIT_DONE` if the caller is gone; then the child is killed.

    `alive` is the end of a pipe that closes when the child is gone, however it went.
    """
    poll = select.poll()
    poll.register(alive, select.POLLIN)
    poll.register(_REQUESTS, 0)
    while True:
        events = dict(poll.poll(_PARENT_CHECK_MS))
        if alive in events:
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if _REQUESTS in events or os.getppid() != caller:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return _EXIT_DONE


def _serve(replies: int, limit_s: float, memory_bytes: int, parent: int) -> NoReturn:
    """The child: answers requests until there are no more."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        # It died before the kernel was told: an orphan would answer, and nobody in its place once it dies.
        os._exit(_EXIT_DONE)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Antlr complains about every odd sign.
    os.dup2(os.open(os.devnull, os.O_WRONLY), _ERRORS)
    os.dup2(_ERRORS, 1)
    with os.fdopen(_REQUESTS, "rb") as requests:
        for _ in range(MAX_REQUESTS):
            line = requests.readline()
            if not line:
                os._exit(_EXIT_DONE)
            number, gold, answer, modes = json.loads(line)
            _reply(replies, number, _limited(gold, answer, modes, limit_s))
    os._exit(_EXIT_RECYCLE)


def _limited(gold: str, answer: str, modes: list[compat.ReferenceMode], limit_s: float) -> Finding | str:
    """The finding, or why there is none. SIGPROF, which no Python code can miss or swallow, ends the process."""
    signal.setitimer(signal.ITIMER_PROF, limit_s)
    try:
        return compat.compare(gold, answer, modes) if modes else math.compare_by_library(gold, answer)
    except MemoryError:
        return "out of memory"
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:200]
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _reply(replies: int, number: int | None, found: Finding | str) -> None:
    os.write(replies, json.dumps([number, found]).encode() + b"\n")
