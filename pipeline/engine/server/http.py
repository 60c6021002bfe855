"""Requests of one engine to its servers, over connections that are kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

import httpx

from pipeline.engine.server.replies import of_transport, read_reply
from pipeline.engine.server.trial import headers
from pipeline.errors import StartError

KEPT_S = 2.0
"""For which a connection is kept that nothing goes through. A server of uvicorn ends it after 5 s, and a request may meet that."""
CONNECT_S = 10.0
"""To reach a server."""
PATIENT = 0.8
"""The share of `engine.timeout_s` that one reply may take: the watch of hangs must see that it was given up."""

T = TypeVar("T")


class Http:
    """Requests of one engine to its servers. The connections are those of the event loop of the first request."""

    def __init__(self, key: str | None, timeout_s: float) -> None:
        self._headers = {**headers(key), "Content-Type": "application/json"}
        self._timeout = httpx.Timeout(PATIENT * timeout_s, connect=CONNECT_S, pool=None)
        self._client: httpx.AsyncClient | None = None

    async def post(self, url: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """
        Raises:
            Refused, Fault: as `read_reply`; where no reply comes, too.
        """
        if self._client is None:
            limits = httpx.Limits(keepalive_expiry=KEPT_S)
            self._client = httpx.AsyncClient(headers=self._headers, timeout=self._timeout, limits=limits)
        try:
            reply = await self._client.post(url, content=json.dumps(body))
        except httpx.TransportError as error:
            raise of_transport(error) from error
        return read_reply(reply.status_code, reply.headers, reply.content)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()


async def together(requests: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """All replies; the first failure ends the others, which would draw for nothing."""
    if len(requests) == 1:
        return [await requests[0]]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in requests]
    except ExceptionGroup as failed:
        raise next((one for one in failed.exceptions if isinstance(one, StartError)), failed.exceptions[0]) from None
    return [task.result() for task in tasks]
