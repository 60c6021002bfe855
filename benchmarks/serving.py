"""`visualprm serve` under load, under too much of it, and among hostile clients.

    python -m benchmarks serving                       # 10 minutes of 64 clients, then the rest
    python -m benchmarks serving seconds=15 clients=8  # a look

Live clients ask for scores of solutions of the demo's problems, pictures put once. Hostile ones send headers and bodies
byte by byte, leave before the answer, and put pictures of many pixels in a small file.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import httpx
import numpy as np
import PIL.Image
import psutil

from benchmarks.scorer import solutions
from benchmarks.shape import Benchmark, Figure
from pipeline.errors import RowError, UserError
from pipeline.settings import Strict
from stages.reward.client import AsyncRewardClient
from stages.reward.model import Candidate


class Settings(Strict):
    """What is measured."""

    seconds: float = 600
    """Of the first part; the others take 5 % of it, 10 seconds at least."""
    clients: int = 64
    """That ask at the same time; ten times as many in the second part."""
    model: str = "demo/policy"
    """The reward model."""
    slow: int = 300
    """Connections that send a byte now and then."""
    leaving: int = 200
    """Clients that ask and leave."""
    requests: int = 2000
    """Hostile requests."""


@dataclass
class Seen:
    """What clients got: seconds of each answer, and what else came."""

    seconds: list[float] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)

    def p95(self) -> float:
        return float(np.percentile(self.seconds, 95))


def measure(settings: Settings) -> dict[str, float]:
    items = solutions(32, 4)
    with serving(settings.model) as (address, process):
        watched = psutil.Process(process.pid)
        asyncio.run(ask(address, items, 1, 2))
        short = max(10, settings.seconds / 20)
        begun = asyncio.run(ask(address, items, settings.clients, settings.seconds / 10))
        before = watched.memory_info().rss
        calm = asyncio.run(ask(address, items, settings.clients, settings.seconds * 0.9))
        after = watched.memory_info().rss
        much = asyncio.run(ask(address, items, settings.clients * 10, short, patience_s=0))
        few = max(1, settings.clients // 8)
        alone = [asyncio.run(ask(address, items, few, short)).p95() for _ in range(3)]
        quiet = watched.memory_info().rss
        among = [asyncio.run(beside(address, items, few, short, settings)) for _ in range(3)]
        peak = watched.memory_info().rss
        stop = asyncio.run(stopped(address, process, settings.slow))
    return {
        "p95_s": calm.p95(),
        "per_s": len(calm.seconds) / (settings.seconds * 0.9),
        "answers": len(begun.seconds) + len(calm.seconds),
        "errors": sum((begun.others + calm.others).values()),
        "memory_end": after / 2**20,
        "memory_begin": before / 2**20,
        "answered_of_much": len(much.seconds) / short,
        "turned_away": much.others["429"] + much.others["503"],
        "lost": sum(much.others.values()) - much.others["429"] - much.others["503"],
        "p95_among_s": float(np.median(among)),
        "p95_alone_s": float(np.median(alone)),
        "memory_among": peak / 2**20,
        "memory_quiet": quiet / 2**20,
        "stop_s": stop,
        **wire(items[0]),
    }


@contextlib.contextmanager
def serving(model: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A service of its own, and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "pipeline.cli", "serve", model, "--port", str(port)])
    address = f"http://127.0.0.1:{port}"
    try:
        while True:
            assert process.poll() is None
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/ready"):
                break
            time.sleep(0.2)
        yield address, process
    finally:
        process.kill()
        process.wait()


async def ask(address: str, items: list[Candidate], clients: int, seconds: float, patience_s: float = 600) -> Seen:
    """So many clients, one request after the other each."""
    seen, end = Seen(), time.monotonic() + seconds

    async def one(number: int) -> None:
        rng = random.Random(number)
        async with AsyncRewardClient(address, patience_s=patience_s) as client:
            while time.monotonic() < end:
                item, start = rng.choice(items), time.perf_counter()
                try:
                    await client.score(item.question, item.images, item.steps)
                    seen.seconds.append(time.perf_counter() - start)
                except (UserError, RowError) as error:
                    seen.others[next((word for word in ("429", "503") if word in str(error)), str(error))] += 1
                    await asyncio.sleep(0.5)

    await asyncio.gather(*map(one, range(clients)))
    return seen


async def beside(address: str, items: list[Candidate], clients: int, seconds: float, settings: Settings) -> float:
    """The 95th percentile of live clients' seconds while hostile ones do what they can."""
    hostile = asyncio.create_task(attack(address, settings))
    await asyncio.sleep(1)
    found = await ask(address, items, clients, seconds)
    hostile.cancel()
    await asyncio.gather(hostile, return_exceptions=True)
    assert not found.others, found.others
    return found.p95()


async def attack(address: str, settings: Settings) -> None:
    """Until it is cancelled."""
    host, port = address.removeprefix("http://").split(":")
    bomb = io.BytesIO()
    PIL.Image.new("1", (30_000, 30_000)).save(bomb, "PNG")
    asked = json.dumps({"question": "?", "steps": ["x" * 2000] * 40}).encode()
    bodies = (
        b"{", b"[" * 100_000, b"\0" * 5000, b'{"question": "?", "steps": []}', b"1," * 1_000_000,
        json.dumps({"question": "?", "steps": ["x"], "images": [base64.b64encode(bomb.getvalue()).decode()]}).encode(),
    )  # fmt: skip

    async def forever(act: Callable[[], Awaitable[object]]) -> None:
        while True:
            with contextlib.suppress(OSError, httpx.HTTPError, asyncio.IncompleteReadError):
                await act()
            await asyncio.sleep(0.05)

    async def slow() -> None:
        _, writer = await asyncio.open_connection(host, int(port))
        for byte in b"POST /score HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + asked:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.5)

    async def leave() -> None:
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /score HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(asked), asked))
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.close()
        await asyncio.sleep(2)

    async with httpx.AsyncClient(timeout=30) as http:
        left = [settings.requests]

        async def mixed() -> None:
            left[0] -= 1
            if left[0] < 0:
                await asyncio.sleep(3600)
            if left[0] % 10 == 0:
                await http.put(f"{address}/images", content=bomb.getvalue())
            else:
                await http.post(f"{address}/score", content=bodies[left[0] % len(bodies)])

        acts = [slow] * settings.slow + [leave] * settings.leaving + [mixed] * 4
        await asyncio.gather(*map(forever, acts))


async def stopped(address: str, process: subprocess.Popen[bytes], slow: int) -> float:
    """Seconds from SIGTERM to the end, with requests of which half is there."""
    host, port = address.removeprefix("http://").split(":")
    halves = [b"POST /sco", b'POST /score HTTP/1.1\r\nContent-Length: 900\r\n\r\n{"question"']
    for index in range(slow):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(halves[index % 2])
        await writer.drain()
    start = time.perf_counter()
    process.send_signal(signal.SIGTERM)
    await asyncio.to_thread(process.wait)
    return time.perf_counter() - start


def wire(item: Candidate) -> dict[str, float]:
    """Bytes of 16 responses about a picture of a camera's size, put once against in every request."""
    pixels = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    picture = io.BytesIO()
    PIL.Image.fromarray(pixels).save(picture, "PNG")
    text = {"question": item.question, "steps": list(item.steps)}
    inside = len(json.dumps({**text, "images": [base64.b64encode(picture.getvalue()).decode()]}))
    named = len(json.dumps({**text, "images": ["sha256:" + "0" * 64]}))
    return {"wire_put": (len(picture.getvalue()) + 16 * named) / 2**20, "wire_inside": 16 * inside / 2**20}


BENCHMARK = Benchmark(
    on="{clients} clients for {seconds:.0f} s, {answers:,.0f} answers, {model}; hostile: {slow} slow, {leaving} leaving",
    figures=(
        Figure("`serve`: errors", "errors", at_most=0),
        Figure("… answers/s", "per_s", unit="/s"),
        Figure("… 95th percentile of an answer's seconds", "p95_s", unit="s"),
        Figure("… memory at the end against a tenth in", "memory_end", "memory_begin", "MiB", at_most=1.1),
        Figure("ten times the clients: answers/s", "answered_of_much", unit="/s"),
        Figure("… turned away with 429 or 503", "turned_away"),
        Figure("… neither answered nor turned away", "lost", at_most=0),
        Figure("among hostile clients: 95th percentile against without", "p95_among_s", "p95_alone_s", "s", at_most=3),
        Figure("… memory against before", "memory_among", "memory_quiet", "MiB", at_most=1.5),
        Figure("SIGTERM to the end, half requests open", "stop_s", unit="s", at_most=10),
        Figure(
            "16 responses about a picture put once against sent each time",
            "wire_put",
            "wire_inside",
            "MiB",
            at_most=1 / 8,
        ),
    ),
    settings=Settings,
    measure=measure,
    on_request=True,
)
