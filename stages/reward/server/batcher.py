"""Solutions of many requests, scored together."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Sequence
from itertools import islice

from pipeline.errors import RowError
from stages.reward.model import Candidate, Scorer
from stages.reward.server.limits import Limits
from stages.reward.server.metrics import Metrics

Found = list[float] | RowError


class Busy(Exception):
    """Too much waits. `after_s`: when it may be worth another try."""

    def __init__(self, detail: str, after_s: int) -> None:
        super().__init__(detail)
        self.after_s = after_s


class ScorerFailed(Exception):
    """The scorer raised for a whole batch."""


class Batcher:
    """Gathers solutions and scores them in a thread of its own: the event loop stays free.

    What nobody waits for any more leaves the queue. The thread doesn't keep the process alive: a stop need not wait for
    a long batch.
    """

    def __init__(self, scorer: Scorer, limits: Limits, metrics: Metrics) -> None:
        self._scorer = scorer
        self._limits = limits
        self._metrics = metrics
        self._queue: dict[asyncio.Future[Found], Candidate] = {}
        self._filled = asyncio.Event()
        self._second_each = 0.1
        self.failed = False
        """Whether the last batch failed as a whole."""

    @property
    def waiting(self) -> int:
        return len(self._queue)

    async def score(self, candidates: Sequence[Candidate]) -> list[Found]:
        """Raises Busy when too many wait, ScorerFailed when the scorer does; cancelled, it takes its solutions along."""
        if len(self._queue) + len(candidates) > self._limits.waiting:
            after = min(60, math.ceil(len(self._queue) * self._second_each) or 1)
            raise Busy(f"{len(self._queue)} solutions are waiting; try again later", after)
        loop = asyncio.get_running_loop()
        own = [loop.create_future() for _ in candidates]
        self._queue.update(zip(own, candidates, strict=True))
        self._filled.set()
        try:
            return [await each for each in own]
        finally:
            for each in own:
                self._queue.pop(each, None)
                each.cancel()

    async def run(self) -> None:
        """Works until it is cancelled."""
        while True:
            await self._filled.wait()
            await asyncio.sleep(self._limits.wait_s)
            batch = {each: self._queue.pop(each) for each in list(islice(self._queue, self._limits.batch))}
            if not self._queue:
                self._filled.clear()
            if batch:
                await self._score(batch)

    async def _score(self, batch: dict[asyncio.Future[Found], Candidate]) -> None:
        start = time.perf_counter()
        try:
            found = await in_thread(self._scorer, list(batch.values()))
        except Exception as error:  # every request of the batch has to hear of it, and the next batch gets its turn
            self.failed = True
            for each in batch:
                if not each.done():
                    each.set_exception(ScorerFailed(f"{type(error).__name__}: {error}"))
                    each.exception()  # a request that waits for an earlier one of its solutions never looks at this one
            return
        self.failed = False
        seconds = time.perf_counter() - start
        self._second_each = 0.8 * self._second_each + 0.2 * seconds / len(batch)
        self._metrics.batch(len(batch), seconds, [own for own in found if not isinstance(own, RowError)])
        for each, own in zip(batch, found, strict=True):
            if not each.done():
                each.set_result(own)


async def in_thread(scorer: Scorer, candidates: list[Candidate]) -> list[Found]:
    """`score_many` in a thread that ends with the process, whatever it does."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[list[Found]] = loop.create_future()

    def tell(found: list[Found] | None, error: Exception | None) -> None:
        if result.done():
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(found or [])

    def work() -> None:
        try:
            outcome: tuple[list[Found] | None, Exception | None] = (scorer.score_many(candidates), None)
        except Exception as error:  # raised again where it is awaited
            outcome = (None, error)
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, *outcome)

    threading.Thread(target=work, name="scorer", daemon=True).start()
    return await result
