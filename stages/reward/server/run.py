"""Listening: a port that is free, connections that are bounded, a stop that comes."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import resource
import socket
import sys
import threading
from collections.abc import Mapping
from types import FrameType
from typing import Any

from pipeline.errors import UserError
from pipeline.stopping.node import children, kill
from pipeline.stopping.signals import STOPPED
from pipeline.terminal.speak import say
from stages.reward.model import Scorer
from stages.reward.server.app import create_app
from stages.reward.server.limits import Limits
from stages.reward.server.wire import Refusal

KEY = "VISUALPRM_API_KEY"
"""The environment variable with the key that clients have to send."""
_FILES = 100
"""File descriptors that are kept for what isn't a connection."""


def check_place(host: str, port: int) -> None:
    """Tries to listen, so that a model isn't loaded in vain.

    Raises:
        UserError: the port is taken or not allowed, or the host is not this machine's.
    """
    if not 0 <= port < 1 << 16:
        # The system would take some of its bits.
        raise UserError(f"--port {port}: must be from 0 to 65535")
    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family, kind) as tried:
            # As the service itself does: connections of an earlier one that are still closing are no hindrance.
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
    except OSError as error:
        raise UserError(f"--host {host} --port {port}: {error.strerror}: choose another port or host") from error


def key_of(environment: Mapping[str, str], host: str) -> str | None:
    """The key that clients must send; a line on stderr where anyone may ask."""
    key = environment.get(KEY) or None
    if key is None and host not in ("127.0.0.1", "::1", "localhost"):
        say(f"--host {host}: whoever reaches it may ask: set {KEY}, and put a proxy with TLS in front")
    return key


def serve(scorer: Scorer, host: str, port: int, limits: Limits | None = None) -> None:
    """Answers until it is stopped; then for `stop_s` seconds more. The process is gone after `end_s`."""
    import uvicorn

    limits = limits or Limits()
    config = uvicorn.Config(
        create_app(scorer, limits, key_of(os.environ, host)),
        host=host,
        port=port,
        log_level="error",  # what clients do wrong is no news of the service
        http=bounded(limits.header_s, min(limits.connections, files())),
        ws="none",
        timeout_graceful_shutdown=int(limits.stop_s),
        server_header=False,
    )
    ending(limits.end_s)(config).run()


def ending(end_s: float) -> Any:
    """Uvicorn's server, with a bound that it lacks: `end_s` seconds after the first signal the process ends, with its children.

    Threads that decode pictures, the loop that closes connections and an engine that shuts down would each be waited for.
    Nor does the interpreter take apart what was loaded: that took 15 s of a busy machine, and no thread runs meanwhile.
    """
    import uvicorn

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            if not self.should_exit:
                atexit.register(leave)
                end = threading.Timer(end_s, leave)
                end.daemon = True
                end.start()
            super().handle_exit(sig, frame)

    return Server


def leave() -> None:
    kill(children())
    os._exit(STOPPED)


def files() -> int:
    """How many connections there may be for want of file descriptors; the soft limit is raised to the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return max(1, soft - _FILES) if soft != resource.RLIM_INFINITY else sys.maxsize


def bounded(header_s: float, connections: int) -> Any:
    """Uvicorn's protocol, with bounds that it lacks: on open connections, and on the time that headers take."""
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    class Protocol(HttpToolsProtocol):
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > connections:
                transport.write(raw(503, "too_many_connections", f"{connections} connections are open"))
                transport.close()
            else:
                self._begin()

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._begin()

        def on_headers_complete(self) -> None:
            self._end()
            super().on_headers_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self._end()
            super().connection_lost(exc)

        def send_400_response(self, msg: str) -> None:
            self._end()
            self.transport.write(raw(400, "bad_request", msg))
            self.transport.close()

        def _begin(self) -> None:
            self._end()
            self._deadline = self.loop.call_later(header_s, self._cut)

        def _end(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _cut(self) -> None:
            self.transport.write(raw(408, "too_slow", f"the headers did not come within {header_s:g} seconds"))
            self.transport.close()

    return Protocol


def raw(status: int, error: str, detail: str) -> bytes:
    """An answer where there is no request yet, in the same shape as every other error."""
    from http import HTTPStatus

    body = json.dumps(Refusal(error=error, detail=detail).model_dump(exclude_none=True))
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\nconnection: close\r\n\r\n{body}".encode()
