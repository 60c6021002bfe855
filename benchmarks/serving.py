"""`visualprm serve` under load, under too much of it, and among hostile clients.

    python -m benchmarks serving                       # 10 minutes of 64 clients, then the rest
    python -m benchmarks serving seconds=15 clients=8  # a look

Live clients ask for scores of solutions of the demo's problems, pictures put once. Hostile ones are those of
`benchmarks/hostile.py`. All run on the machine that serves, beside the service.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import io
import json
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
import PIL.Image
import psutil

from benchmarks.hostile import Settings as Hostile
from benchmarks.scorer import solutions
from benchmarks.shape import Benchmark, Figure
from pipeline.errors import RowError, UserError
from stages.reward.client import AsyncRewardClient, RewardClient
from stages.reward.model import Candidate

ROUNDS = 3
"""With and without hostile clients; the median counts."""
INTERVAL_S = 0.2
"""Between two looks at the service's memory."""


class Settings(Hostile):
    """What is measured."""

    seconds: float = 600
    """Of the first part; the others take 5 % of it, 10 seconds at least, and the one with too many clients 10 %."""
    clients: int = 64
    """That ask at the same time; ten times as many in another part; an eighth of them among hostile ones."""
    group: int = 4
    """Solutions in a request, as a trainer sends them."""
    model: str = "demo/policy"
    """The reward model."""


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
        resident = psutil.Process(process.pid).memory_info
        asyncio.run(ask(address, items, 1, 2))
        short = max(10, settings.seconds / 20)
        begun = asyncio.run(ask(address, items, settings.clients, settings.seconds / 10, settings.group))
        before = resident().rss
        calm = asyncio.run(ask(address, items, settings.clients, settings.seconds * 0.9, settings.group))
        after = resident().rss
        few = max(1, settings.clients // 8)
        alone = [asyncio.run(ask(address, items, few, short)) for _ in range(ROUNDS)]
        quiet = resident().rss
        among, hostile = [], []
        with peak(lambda: resident().rss) as seen:
            for _ in range(ROUNDS):
                with attacked(address, settings) as told:
                    among.append(asyncio.run(ask(address, items, few, short)))
                hostile.append(told)
        much = asyncio.run(crowd(address, items, settings, 2 * short))
        on_wire = wire(address, items[0])
        stop = stopped(address, process, settings)
    return {
        "p95_s": calm.p95(),
        "per_s": settings.group * len(calm.seconds) / (settings.seconds * 0.9),
        "answers": len(begun.seconds) + len(calm.seconds),
        "errors": sum((begun.others + calm.others).values()),
        "memory_end": after / 2**20,
        "memory_begin": before / 2**20,
        **much,
        "p95_among_s": float(np.median([each.p95() for each in among])),
        "p95_alone_s": float(np.median([each.p95() for each in alone])),
        "lost_among": sum(sum(each.others.values()) for each in among + alone),
        "hostile_answers": float(np.median([sum(told["statuses"].values()) for told in hostile])),
        "odd": sum(told["odd"] for told in hostile),
        "memory_among": max(seen) / 2**20,
        "memory_quiet": quiet / 2**20,
        "stop_s": stop,
        **on_wire,
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


async def ask(address: str, items: list[Candidate], clients: int, seconds: float, group: int = 1) -> Seen:
    """So many patient clients, one request after the other each, of `group` solutions of a question."""
    seen, end = Seen(), time.monotonic() + seconds

    async def one(number: int) -> None:
        rng = random.Random(number)
        async with AsyncRewardClient(address) as client:
            while time.monotonic() < end:
                item, start = rng.choice(items), time.perf_counter()
                try:
                    found = await client.score_many(item.question, item.images, [item.steps] * group)
                except (UserError, RowError) as error:
                    seen.others[str(error)] += 1
                    await asyncio.sleep(0.5)
                    continue
                seen.others.update(str(own) for own in found if isinstance(own, RowError))
                seen.seconds.append(time.perf_counter() - start)

    await asyncio.gather(*map(one, range(clients)))
    return seen


async def crowd(address: str, items: list[Candidate], settings: Settings, seconds: float) -> dict[str, float]:
    """Ten times the clients: a tenth are patient ones as before, the others ask again and again."""
    end = time.monotonic() + seconds
    statuses: Counter[str] = Counter()
    named = [(item, [f"sha256:{hashlib.sha256(data).hexdigest()}" for data in item.images]) for item in items]

    async def impatient(number: int, http: httpx.AsyncClient) -> None:
        rng = random.Random(number)
        while time.monotonic() < end:
            item, images = rng.choice(named)
            body = {"question": item.question, "images": images, "solutions": [{"steps": item.steps}] * settings.group}
            try:
                answer = await http.post(f"{address}/score", json=body)
                told = answer.status_code != 429 or "Retry-After" in answer.headers
                statuses[str(answer.status_code) if told else "429 without Retry-After"] += 1
            except httpx.HTTPError as error:
                statuses[type(error).__name__] += 1
            await asyncio.sleep(0.5)

    bounds = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=300, limits=bounds) as http:
        for data in {data for item in items for data in item.images}:
            (await http.put(f"{address}/images", content=data)).raise_for_status()
        patient = asyncio.create_task(ask(address, items, settings.clients, seconds, settings.group))
        await asyncio.gather(*(impatient(number, http) for number in range(9 * settings.clients)))
        served = await patient
    known = ("200", "429", "503")
    for told, count in served.others.items():
        print(f"serving: a patient client was told {count} times: {told}", file=sys.stderr)
    return {
        "turned_away": statuses["429"] + statuses["503"],
        "answered_of_much": settings.group * (statuses["200"] + len(served.seconds)) / seconds,
        "lost": sum(count for status, count in statuses.items() if status not in known) + sum(served.others.values()),
        "served": len(served.seconds),
    }


@contextlib.contextmanager
def attacked(address: str, settings: Settings) -> Iterator[dict[str, Any]]:
    """While hostile clients do what they can; afterwards the result is what they print."""
    told: dict[str, Any] = {}
    words = [f"{key}={getattr(settings, key)}" for key in Hostile.model_fields]
    command = [sys.executable, "-m", "benchmarks.hostile", address, *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(1)
        yield told
    finally:
        process.terminate()
        output, _ = process.communicate()
    told.update(json.loads(output))


@contextlib.contextmanager
def peak(value: Callable[[], int]) -> Iterator[list[int]]:
    """What a number was, looked at again and again."""
    seen, ended = [value()], threading.Event()

    def look() -> None:
        while not ended.wait(INTERVAL_S):
            seen.append(value())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def stopped(address: str, process: subprocess.Popen[bytes], settings: Settings) -> float:
    """Seconds from SIGTERM to the end, among hostile clients, and with requests of which half is there."""
    host, port = address.removeprefix("http://").split(":")
    halves = [b"POST /sco", b'POST /score HTTP/1.1\r\nContent-Length: 900\r\n\r\n{"question"']
    with attacked(address, settings), contextlib.ExitStack() as opened:
        for index in range(settings.slow // 3):
            connection = opened.enter_context(socket.create_connection((host, int(port))))
            connection.sendall(halves[index % 2])
        start = time.perf_counter()
        process.send_signal(signal.SIGTERM)
        process.wait()
        return time.perf_counter() - start


def wire(address: str, item: Candidate) -> dict[str, float]:
    """Bytes of 16 requests about a picture of a camera's size, put once and in every one, headers included."""
    pixels = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "PNG")
    sent = 0

    def count(request: httpx.Request) -> None:
        nonlocal sent
        sent += len(request.content) + sum(len(name) + len(value) + 4 for name, value in request.headers.raw)

    with RewardClient(address) as client:
        client._http.event_hooks["request"].append(count)
        for _ in range(16):
            client.score(item.question, [file.getvalue()], item.steps)
        put, sent = sent, 0
        inside = {
            "question": item.question,
            "steps": item.steps,
            "images": [base64.b64encode(file.getvalue()).decode()],
        }
        for _ in range(16):
            client._http.post(f"{address}/score", json=inside).raise_for_status()
    return {"wire_put": put / 2**20, "wire_inside": sent / 2**20}


BENCHMARK = Benchmark(
    on="{clients} clients with {group} solutions a request for {seconds:.0f} s, {answers:,.0f} answers, {model}; hostile: "
    "{slow} slow, {leaving} leaving, {hostile_answers:,.0f} mixed requests in each of three rounds",
    figures=(
        Figure("`serve`: errors", "errors", at_most=0),
        Figure("… solutions/s", "per_s", unit="/s"),
        Figure("… 95th percentile of an answer's seconds", "p95_s", unit="s"),
        Figure(
            "… memory at the end against a tenth in", "memory_end", "memory_begin", "MiB", at_least=0.9, at_most=1.1
        ),
        Figure("ten times the clients: turned away by 429 with Retry-After, or 503", "turned_away", at_least=1),
        Figure("… answers to patient clients meanwhile", "served", at_least=1),
        Figure("… neither answered nor turned away", "lost", at_most=0),
        Figure("… solutions/s", "answered_of_much", unit="/s"),
        Figure("among hostile clients: 95th percentile against without", "p95_among_s", "p95_alone_s", "s", at_most=3),
        Figure("… live requests that fail", "lost_among", at_most=0),
        Figure("… refusals in another shape", "odd", at_most=0),
        Figure("… peak memory against before", "memory_among", "memory_quiet", "MiB", at_most=1.5),
        Figure("… SIGTERM to the end, half requests open", "stop_s", unit="s", at_most=10),
        Figure(
            "16 requests about a picture put once against sent each time",
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
