"""Verifies answers without blocking, hanging or leaving anything behind.

The bounded modes run at once in the calling process. `math` runs in worker processes (`worker.py`) with limits on
CPU time and memory (`process.py`).
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType

from pipeline.records import Verdict
from stages.verify import compat
from stages.verify.compat import PromptVersion, ReferenceComparison, ReferenceMode
from stages.verify.finding import Finding
from stages.verify.judge import Comparison, find_comparison, judge_cheaply, math_verdict
from stages.verify.process import Worker, WorkerLost
from stages.verify.worker import TIMEOUT

WALL_FACTOR = 6.0
"""Wall-clock time that an answer may take, in units of its CPU limit."""
CACHE_SIZE = 50_000
"""Verdicts that are remembered."""


class VerifierPool:
    """A pool of verifier processes with a cache. Safe to use from any thread and from several event loops.

    Args:
        workers: processes for `math`.
        time_limit_s: CPU seconds for one answer; wall clock has `WALL_FACTOR` times as much.

    Raises:
        WorkerLost: the processes can't be started.
    """

    def __init__(self, workers: int, time_limit_s: float) -> None:
        self._limit_s = time_limit_s
        self.asked = 0
        """Answers that the processes were asked about, so far."""
        self._lock = threading.Lock()
        self._known: OrderedDict[Comparison | ReferenceComparison, Verdict] = OrderedDict()
        self._pending: dict[Comparison | ReferenceComparison, Future[Verdict]] = {}
        self._closed = False
        self._workers = {Worker(time_limit_s) for _ in range(workers)}
        self._idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        for worker in self._workers:
            worker.wait_ready()
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="verify")

    async def verify(
        self,
        gold: str,
        response: str,
        modes: Sequence[str],
        options: Sequence[str] = (),
        question: str = "",
        finish_reason: str = "stop",
        same_text: bool = True,
    ) -> Verdict:
        """As `judge`, with `timeout` for an answer that takes too long. Equal requests share one evaluation.

        `same_text` is as for `find_comparison`.
        """
        return await self.begin(gold, response, modes, options, question, finish_reason, same_text)

    def begin(
        self,
        gold: str,
        response: str,
        modes: Sequence[str],
        options: Sequence[str] = (),
        question: str = "",
        finish_reason: str = "stop",
        same_text: bool = True,
    ) -> Awaitable[Verdict]:
        """As `verify`, which begins here and not when it is awaited: many go on at once without a task for each."""
        comparison = find_comparison(gold, response, modes, options, question, finish_reason, same_text)
        if isinstance(comparison, Verdict):
            return _Settled(comparison)
        if (verdict := self._recall(comparison)) is None:
            verdict = judge_cheaply(comparison)
            if verdict is None:
                return self._evaluated(comparison)
            self._remember(comparison, verdict)
        return _Settled(verdict)

    async def verify_reference(
        self, gold: str, response: str, modes: Sequence[ReferenceMode], prompt_version: PromptVersion
    ) -> Verdict:
        """As `compat.judge_internvl`, with `timeout` for an answer that takes too long."""
        return await self.begin_reference(gold, response, modes, prompt_version)

    def begin_reference(
        self, gold: str, response: str, modes: Sequence[ReferenceMode], prompt_version: PromptVersion
    ) -> Awaitable[Verdict]:
        """As `verify_reference`, which begins here."""
        comparison = compat.find_comparison(gold, response, modes, prompt_version)
        if isinstance(comparison, Verdict):
            return _Settled(comparison)
        verdict = self._recall(comparison)
        return self._evaluated(comparison) if verdict is None else _Settled(verdict)

    def _evaluated(self, comparison: Comparison | ReferenceComparison) -> Awaitable[Verdict]:
        # Shielded: a caller that gives up must not take the verdict from the others that wait for it.
        return asyncio.shield(asyncio.wrap_future(self._submit(comparison)))

    def _recall(self, comparison: Comparison | ReferenceComparison) -> Verdict | None:
        with self._lock:
            if (verdict := self._known.get(comparison)) is not None:
                self._known.move_to_end(comparison)
            return verdict

    def _remember(self, comparison: Comparison | ReferenceComparison, verdict: Verdict) -> None:
        """Errors are not kept: they may be the machine's."""
        with self._lock:
            self.asked += 1
            self._pending.pop(comparison, None)
            if verdict.status != "error":
                self._known[comparison] = verdict
                if len(self._known) > CACHE_SIZE:
                    self._known.popitem(last=False)

    def _submit(self, comparison: Comparison | ReferenceComparison) -> Future[Verdict]:
        with self._lock:
            if (future := self._pending.get(comparison)) is None:
                future = self._pending[comparison] = self._threads.submit(self._evaluate, comparison)
        return future

    def _evaluate(self, comparison: Comparison | ReferenceComparison) -> Verdict:
        try:
            verdict = self._ask(comparison)
        except Exception as error:
            verdict = Verdict("error", comparison.answer, "math", f"{type(error).__name__}: {error}"[:200])
        self._remember(comparison, verdict)
        return verdict

    def _ask(self, comparison: Comparison | ReferenceComparison) -> Verdict:
        """A lost process says nothing about the answer: it may be the machine's memory that was short. Asked twice."""
        try:
            found = self._ask_one(comparison)
        except WorkerLost as first:
            try:
                found = self._ask_one(comparison)
            except WorkerLost as second:
                found = f"lost twice: {first}; {second}"
        if isinstance(found, Finding):
            return (
                compat.verdict(comparison, found)
                if isinstance(comparison, ReferenceComparison)
                else math_verdict(comparison, found)
            )
        if found == TIMEOUT:
            return Verdict("timeout", comparison.answer, "math", f"more than {self._limit_s:g} s of CPU time")
        return Verdict("error", comparison.answer, "math", found)

    def _ask_one(self, comparison: Comparison | ReferenceComparison) -> Finding | str:
        """What one worker says, `TIMEOUT` if it was silent for too long.

        Raises:
            WorkerLost: its process or its child died; another one is ready by then.
        """
        worker = self._idle.get()
        modes = comparison.modes if isinstance(comparison, ReferenceComparison) else ()
        try:
            return worker.ask(comparison.gold, comparison.answer, modes, self._limit_s * WALL_FACTOR)
        except WorkerLost as lost:
            if not lost.child:
                worker = self._replace(worker)
            if lost.silent:
                return TIMEOUT
            raise
        finally:
            self._idle.put(worker)

    def _replace(self, worker: Worker) -> Worker:
        worker.kill()
        with self._lock:
            if self._closed:
                return worker
            self._workers.discard(worker)
            fresh = Worker(self._limit_s)
            self._workers.add(fresh)
        fresh.wait_ready()
        return fresh

    def close(self) -> None:
        """Ends all processes and threads; requests that still wait get the verdict `error`."""
        with self._lock:
            self._closed = True
            workers = list(self._workers)
        for worker in workers:
            worker.process.kill()
        self._threads.shutdown()
        for worker in workers:
            worker.kill()

    def __enter__(self) -> VerifierPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class _Settled:
    """A verdict that is there already; nobody who awaits it is suspended."""

    verdict: Verdict

    def __await__(self) -> Generator[None, None, Verdict]:
        return self.verdict
        yield
