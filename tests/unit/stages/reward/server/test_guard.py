"""Bodies that are slow, large or many, and clients that leave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from stages.reward.server.guard import Guard
from stages.reward.server.limits import Limits
from stages.reward.server.metrics import Metrics

SCOPE: dict[str, Any] = {"type": "http", "path": "/", "headers": []}


class Echo:
    """Answers with the length of the body, unless it is told to wait for good."""

    def __init__(self, waits: bool = False) -> None:
        self.waits = waits
        self.cancelled = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        try:
            if self.waits:
                assert (await receive())["type"] == "never"
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(len(body)).encode()})


def asked(app: Guard, pieces: Sequence[bytes | float | None]) -> Callable[[], Any]:
    """A client that sends these pieces, pauses for numbers of seconds, and leaves at None; then it stays silent."""
    sent: list[Any] = []

    async def run() -> list[Any]:
        left = list(pieces)

        async def receive() -> Any:
            while left:
                piece = left.pop(0)
                if piece is None:
                    return {"type": "http.disconnect"}
                if isinstance(piece, bytes):
                    return {"type": "http.request", "body": piece, "more_body": any(isinstance(p, bytes) for p in left)}
                await asyncio.sleep(piece)
            await asyncio.Event().wait()

        async def send(message: Any) -> None:
            sent.append(message)

        await app(SCOPE, receive, send)
        return sent

    return run


def guarded(app: Any, **limits: Any) -> Guard:
    return Guard(app, Limits(**limits), Metrics(), None, frozenset("/"))


def outcome(messages: list[Any]) -> tuple[int, str]:
    return messages[0]["status"], json.loads(messages[1]["body"])["error"]


def test_a_body_is_handed_on_whole() -> None:
    messages = asyncio.run(asked(guarded(Echo()), [b"ab", b"cde"])())
    assert messages[1]["body"] == b"5"


def test_a_slow_body_is_cut() -> None:
    app = guarded(Echo(), body_s=0.02)
    messages = asyncio.run(asked(app, [b"a", 5.0, b"b"])())
    assert outcome(messages) == (408, "too_slow")
    assert (b"connection", b"close") in messages[0]["headers"]


def test_bodies_are_bounded_one_by_one_and_together() -> None:
    async def run() -> None:
        app = guarded(Echo(waits=True), body_bytes=10, held_bytes=15)
        assert outcome(await asked(app, [b"a" * 11])()) == (413, "body_too_large")
        waiting = asyncio.create_task(asked(app, [b"a" * 10])())
        await asyncio.sleep(0.01)
        assert outcome(await asked(app, [b"a" * 6])()) == (429, "busy")
        waiting.cancel()
        await waiting
        assert app._held == 0

    asyncio.run(run())


@pytest.mark.parametrize("pieces", [[b"a"], [b"a", 5.0, b"b"]], ids=["in the route", "half a body"])
def test_who_waits_when_the_service_ends_is_told_so(pieces: list[Any]) -> None:
    async def run() -> None:
        echo = Echo(waits=True)
        task = asyncio.create_task(asked(guarded(echo), pieces)())
        await asyncio.sleep(0.01)
        task.cancel()
        messages = await task
        assert outcome(messages) == (503, "stopping")
        assert (b"retry-after", b"1") in messages[0]["headers"]
        assert echo.cancelled is (pieces == [b"a"])

    asyncio.run(run())


@pytest.mark.parametrize("pieces", [[b"a", None], [None], [b"a", None, b"b"]])
def test_nothing_is_done_for_a_client_that_left(pieces: list[Any]) -> None:
    echo = Echo(waits=True)
    app = guarded(echo)
    assert asyncio.run(asked(app, pieces)()) == []
    assert echo.cancelled is (pieces == [b"a", None])
    assert b"visualprm_clients_gone_total 1.0" in app._metrics.text()
    assert app._held == 0
