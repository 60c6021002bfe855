"""Clients that harm a service, in a process of their own, for `benchmarks/serving.py`.

    python -m benchmarks.hostile http://127.0.0.1:8000 slow=300 leaving=200 requests=2000

Slow ones send a byte now and then; others ask and leave; the mixed requests are no JSON or no HTTP, nest deeply, lack
what is needed, ask for what isn't there, and bring pictures of many pixels in a small file. Niced, so that the service
gets the machine. It says when it begins, goes on until SIGTERM, and then prints as JSON what came of the mixed requests:
how many were answered, by status, and how many in another shape than an error's.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import signal
import struct
import sys
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable

import httpx

from pipeline.settings import Strict, parse_settings

SENDERS = 8
"""That share the mixed requests."""
FAULTS = (OSError, httpx.HTTPError, asyncio.IncompleteReadError)
"""What a client sees of a service that cuts it."""


class Settings(Strict):
    """How many of each."""

    slow: int = 300
    """Connections that send a byte every half second."""
    leaving: int = 200
    """Clients that ask for much and leave after a tenth of a second, again and again."""
    requests: int = 2000
    """Mixed requests."""


def bomb(side: int) -> bytes:
    """A black PNG: a kilobyte for every eight million pixels."""
    rows = zlib.compress(bytes((1 + (side + 7) // 8) * side), 9)
    parts = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b"")]
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def mixed() -> list[tuple[str, str, bytes]]:
    """Method, path and body of each kind of request."""
    inside = {"question": "?", "steps": ["x"], "images": [base64.b64encode(bomb(30_000)).decode()]}
    bodies = [
        b"{", b"", b"[" * 100_000, b"\0" * 5000, b"\xff\xfe" * 100, b"1," * 1_000_000, b'{"question": "?", "steps": []}',
        json.dumps({"question": "?", "steps": ["x"], "images": ["sha256:" + "0" * 64]}).encode(),
        json.dumps({"question": "?", "steps": ["x"], "images": ["/etc/passwd"]}).encode(),
        json.dumps(inside).encode(),
    ]  # fmt: skip
    return [
        *(("POST", "/score", body) for body in bodies),
        ("PUT", "/images", bomb(30_000)),
        ("PUT", "/images", bomb(5_700)),
        ("PUT", "/images", b"GIF89a" + b"\0" * 1000),
        ("GET", "/../../etc/passwd", b""),
        ("DELETE", "/score", b""),
    ]


class Hostile:
    """All of them, against one service."""

    def __init__(self, address: str, settings: Settings) -> None:
        self._address = address
        self._host, port = address.removeprefix("http://").split(":")
        self._port = int(port)
        self._settings = settings
        self._left = settings.requests
        self._kinds = mixed()
        self.statuses: Counter[str] = Counter()
        self.odd = 0

    async def run(self) -> None:
        """Until it is cancelled."""
        async with httpx.AsyncClient(timeout=60) as http:
            acts = [self._slow] * self._settings.slow + [self._leave] * self._settings.leaving
            senders = [self._send(http) for _ in range(SENDERS)]
            await asyncio.gather(*map(self._again, acts), *senders, self._no_http())

    async def _again(self, act: Callable[[], Awaitable[None]]) -> None:
        while True:
            with contextlib.suppress(*FAULTS):
                await act()
            await asyncio.sleep(0.05)

    async def _slow(self) -> None:
        _, writer = await asyncio.open_connection(self._host, self._port)
        with contextlib.closing(writer):
            for byte in b"POST /score HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.5)

    async def _leave(self) -> None:
        asked = json.dumps({"question": "?", "steps": ["x" * 2000] * 40}).encode()
        _, writer = await asyncio.open_connection(self._host, self._port)
        with contextlib.closing(writer):
            writer.write(b"POST /score HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(asked), asked))
            await writer.drain()
            await asyncio.sleep(0.1)
        await asyncio.sleep(2)

    async def _send(self, http: httpx.AsyncClient) -> None:
        while self._left > 0:
            self._left -= 1
            method, path, body = self._kinds[self._left % len(self._kinds)]
            try:
                answer = await http.request(method, self._address + path, content=body)
            except FAULTS as error:
                self.statuses[type(error).__name__] += 1
                continue
            self.statuses[str(answer.status_code)] += 1
            self.odd += answer.status_code != 200 and not one_shape(answer.content)

    async def _no_http(self) -> None:
        while True:
            with contextlib.suppress(*FAULTS):
                reader, writer = await asyncio.open_connection(self._host, self._port)
                with contextlib.closing(writer):
                    writer.write(b"\x16\x03\x01\x02\x00\x01\x00 hello\r\n\r\n")
                    answer = await reader.read()
                    self.odd += not one_shape(answer.partition(b"\r\n\r\n")[2])
            await asyncio.sleep(0.5)


def one_shape(body: bytes) -> bool:
    """Whether a refusal says what and why, as docs/scoring.md has it."""
    try:
        found = json.loads(body)
    except ValueError:
        return False
    return isinstance(found, dict) and all(isinstance(found.get(key), str) for key in ("error", "detail"))


async def attack(hostile: Hostile) -> None:
    task = asyncio.create_task(hostile.run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    print("attacking", flush=True)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def main(address: str, *overrides: str) -> None:
    hostile = Hostile(address, parse_settings(Settings, {}, overrides, "hostile"))
    os.nice(10)
    asyncio.run(attack(hostile))
    print(json.dumps({"statuses": hostile.statuses, "odd": hostile.odd}))


if __name__ == "__main__":
    main(*sys.argv[1:])
