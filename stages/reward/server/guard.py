"""What every request passes before a route sees it: the key, a body in bounded time and memory, a client that is there."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.responses import Response

from stages.reward.server.batcher import Busy
from stages.reward.server.limits import Limits
from stages.reward.server.metrics import Metrics
from stages.reward.server.refusals import answer, refusal

App = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]
]
OPEN = ("/health", "/ready")
"""Paths that need no key: what watches a service seldom has one."""
STOPPING = "the service was stopped before it could answer; ask again when it is back"


class Guard:
    """The outermost application.

    A body is read whole, within `body_s` and `body_bytes`, and all bodies together within `held_bytes`. Where the
    client leaves before the answer, the route is cancelled, and what it asked for leaves the queue. Who still waits when
    the service ends is told so.
    """

    def __init__(self, app: App, limits: Limits, metrics: Metrics, key: str | None, paths: frozenset[str]) -> None:
        self._app = app
        self._limits = limits
        self._metrics = metrics
        self._key = key.encode() if key else None
        self._paths = paths
        self._held = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"] if scope["path"] in self._paths else "other"
        start = time.perf_counter()
        statuses: list[int] = []

        async def noted(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
            await send(message)

        try:
            await self._answer(scope, receive, noted)
        except asyncio.CancelledError:
            # Only the end of the service cancels a request. Raised on, it would be logged with its traceback, once for
            # each of hundreds, which takes longer than all else at the end, and be answered in another shape.
            if not statuses:
                await said(refusal(503, "stopping", STOPPING, {"Retry-After": "1"}), scope, receive, noted)
        if statuses:
            self._metrics.requests.labels(path, str(statuses[0])).inc()
            self._metrics.seconds.labels(path).observe(time.perf_counter() - start)
        else:
            self._metrics.gone.inc()

    async def _answer(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if self._key is not None and scope["path"] not in OPEN and not self._knows_key(scope):
            await said(refusal(401, "no_key", "send the header `Authorization: Bearer KEY`"), scope, receive, send)
            return
        body = bytearray()
        try:
            refused = await self._read(receive, body)
            if refused is not None:
                await said(refused, scope, receive, send)
            elif not await self._with_client(scope, bytes(body), receive, send):
                return
        except ClientGone:
            return
        finally:
            self._held -= len(body)

    def _knows_key(self, scope: MutableMapping[str, Any]) -> bool:
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        return hmac.compare_digest(given, b"Bearer " + (self._key or b""))

    async def _read(self, receive: Any, body: bytearray) -> Response | None:
        """Reads a body, or says why not. Raises ClientGone."""
        try:
            async with asyncio.timeout(self._limits.body_s):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGone
                    piece = message.get("body", b"")
                    body += piece
                    self._held += len(piece)
                    more = message.get("more_body", False)
                    if len(body) > self._limits.body_bytes:
                        return refusal(413, "body_too_large", f"a request has at most {self._limits.body_bytes} bytes")
                    if self._held > self._limits.held_bytes:
                        return answer(Busy(f"requests of {self._held:,} bytes are waiting; try again later", 1))
        except TimeoutError:
            return refusal(408, "too_slow", f"the body did not come within {self._limits.body_s:g} seconds")
        return None

    async def _with_client(self, scope: MutableMapping[str, Any], body: bytes, receive: Any, send: Any) -> bool:
        """Runs the application as long as the client is there; False if it left."""
        held = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Any:
            # Nothing more comes: of a client that left, the application hears by being cancelled.
            return held.pop() if held else await asyncio.Event().wait()

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                continue

        route = asyncio.ensure_future(self._app(scope, replay, send))
        watcher = asyncio.create_task(watch())
        try:
            await asyncio.wait({route, watcher}, return_when=asyncio.FIRST_COMPLETED)
            if not route.done():
                return False
            await route
            return True
        finally:
            watcher.cancel()
            if not route.done():
                route.cancel()
                await asyncio.wait({route})


class ClientGone(Exception):
    """Before its request was there."""


async def said(response: Response, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
    """Answers before the body was read, and closes: what is still to come of it would pass for the next request."""
    response.headers["Connection"] = "close"
    await response(scope, receive, send)
