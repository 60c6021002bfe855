"""The queue: who leaves it, who hears of a failure, who is turned away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from pipeline.errors import RowError
from stages.reward.model import Candidate, read_config
from stages.reward.server.batcher import Batcher, Busy, ScorerFailed
from stages.reward.server.limits import Limits
from stages.reward.server.metrics import Metrics
from tests.families import POLICY


class Gated:
    """Notes what it scores; each batch waits for the gate."""

    name = "gated"
    config = read_config(str(POLICY))

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.seen: list[list[str]] = []

    def score_many(self, candidates: Sequence[Candidate]) -> list[list[float] | RowError]:
        self.seen.append([each.question for each in candidates])
        assert self.gate.wait(20)
        if "crash" in self.seen[-1]:
            raise ZeroDivisionError("no")
        return [[1.0] * len(each.steps) for each in candidates]


def asked(*questions: str) -> list[Candidate]:
    return [Candidate(question, (), ("x",)) for question in questions]


async def until(true: object) -> None:
    assert callable(true)
    while not true():
        await asyncio.sleep(0.001)


def test_what_nobody_waits_for_leaves_the_queue() -> None:
    async def run() -> None:
        scorer = Gated()
        batcher = Batcher(scorer, Limits(waiting=3, batch=8, wait_s=0), Metrics())
        worker = asyncio.create_task(batcher.run())
        first = asyncio.create_task(batcher.score(asked("first")))
        await until(lambda: scorer.seen)
        gone = asyncio.create_task(batcher.score(asked("gone", "gone")))
        stays = asyncio.create_task(batcher.score(asked("stays")))
        await until(lambda: batcher.waiting == 3)
        with pytest.raises(Busy, match="3 solutions are waiting"):
            await batcher.score(asked("one too many"))
        gone.cancel()
        await until(lambda: batcher.waiting == 1)
        late = asyncio.create_task(batcher.score(asked("late", "late")))
        await until(lambda: batcher.waiting == 3)
        scorer.gate.set()
        assert [await each for each in (first, stays, late)] == [[[1.0]], [[1.0]], [[1.0]] * 2]
        assert scorer.seen == [["first"], ["stays", "late", "late"]]
        worker.cancel()

    asyncio.run(run())


def test_a_failure_reaches_every_request_of_its_batch_and_no_other() -> None:
    async def run() -> None:
        scorer = Gated()
        scorer.gate.set()
        batcher = Batcher(scorer, Limits(wait_s=0.01), Metrics())
        worker = asyncio.create_task(batcher.run())
        found = await asyncio.gather(
            batcher.score(asked("a", "b")), batcher.score(asked("crash")), return_exceptions=True
        )
        assert [type(each) for each in found] == [ScorerFailed] * 2
        assert str(found[0]) == "ZeroDivisionError: no"
        assert batcher.failed
        assert await batcher.score(asked("c")) == [[1.0]]
        assert not batcher.failed
        assert batcher.waiting == 0
        worker.cancel()

    asyncio.run(run())
