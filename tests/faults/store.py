"""A local S3 server behind a door that can be made to fail: answers 500 or 503, resets connections, never answers."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

import pytest

from tests.s3 import local_s3

Fault = Literal["500", "503", "reset", "hang"]
FAULTS: tuple[Fault, ...] = ("500", "503", "reset", "hang")


class Door:
    """Where clients knock. `faults` says what becomes of request number n; None lets it through."""

    def __init__(self, behind: str) -> None:
        self.behind = behind
        self.faults: Callable[[int], Fault | None] = lambda number: None
        self.requests = self.failed = 0
        self._lock = threading.Lock()
        self.closed = threading.Event()

    def next(self) -> Fault | None:
        with self._lock:
            fault = self.faults(self.requests)
            self.requests += 1
            self.failed += fault is not None
        return fault

    def open(self, faults: Callable[[int], Fault | None] = lambda number: None) -> None:
        """From here on, with a count that begins anew."""
        self.faults, self.requests, self.failed = faults, 0, 0


@contextmanager
def faulty_s3(patch: pytest.MonkeyPatch) -> Iterator[tuple[str, Door]]:
    """The endpoint of a server that holds the bucket `corpus`, and its door."""
    with local_s3(patch) as behind:
        door = Door(behind)
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(door))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_port}", door
        finally:
            door.closed.set()
            server.shutdown()
            server.server_close()


def _handler(door: Door) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline:
                self.close_connection = True
            elif self.parse_request():
                self._serve()

        def _serve(self) -> None:
            if self.headers.get("Expect", "").lower() == "100-continue":
                self.handle_expect_100()
            body = self._body()
            fault = door.next()
            if fault == "hang":
                door.closed.wait(600)
            if fault in ("hang", "reset"):
                # With nothing lingering, the peer sees a reset.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()
            elif fault:
                self._answer(int(fault), {}, b"")
            else:
                connection = http.client.HTTPConnection(door.behind, timeout=120)
                headers = {key: value for key, value in self.headers.items() if key.lower() not in _HOP}
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                self._answer(answer.status, dict(answer.getheaders()), answer.read())
                connection.close()

        def _body(self) -> bytes | None:
            if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                parts = []
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(parts)
            length = int(self.headers.get("Content-Length", 0))
            return self.rfile.read(length) if length else None

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response_only(status)
            length = headers.pop("Content-Length", str(len(body))) if self.command == "HEAD" else str(len(body))
            for key, value in headers.items():
                if key.lower() not in (*_HOP, "content-length"):
                    self.send_header(key, value)
            self.send_header("Content-Length", length)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    return Handler


_HOP = ("connection", "transfer-encoding", "keep-alive", "expect")
"""Headers that concern one connection."""
