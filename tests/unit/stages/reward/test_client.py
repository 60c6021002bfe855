"""The client against the real application, sync and async, over a transport in this process."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from pipeline.errors import RowError, UserError
from stages.reward import client as module
from stages.reward.client import AsyncRewardClient, RewardClient
from stages.reward.server.app import create_app
from stages.reward.server.limits import Limits
from stages.reward.server.wire import Scored
from tests.unit.stages.reward.server.test_app import Lengths
from tests.unit.stages.reward.test_collate import IMAGES

ADDRESS = "http://service"


@pytest.fixture
def service() -> Iterator[TestClient]:
    with TestClient(create_app(Lengths(), Limits(wait_s=0)), base_url=ADDRESS) as running:
        yield running


def over(client: Any, answer: Callable[[httpx.Request], httpx.Response]) -> list[httpx.Request]:
    """Lets `answer` stand for the network; returns the requests as they go."""
    sent: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return answer(request)

    kind = httpx.AsyncClient if isinstance(client, AsyncRewardClient) else httpx.Client
    client._http = kind(transport=httpx.MockTransport(handle), headers=client._http.headers)
    return sent


def through(service: TestClient) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        found = service.request(request.method, request.url.path, content=request.content)
        return httpx.Response(found.status_code, headers=dict(found.headers), content=found.content)

    return answer


def test_a_solution_comes_back_with_its_scores(service: TestClient) -> None:
    with RewardClient(ADDRESS) as client:
        over(client, through(service))
        found = client.score("?", IMAGES, ["x", "yyy"])
        assert found.step_scores == [0.01, 0.03]
        assert found.scores["min"] == 0.01
        assert client.score("?", response="x\n\nyyy").spans == [(0, 1), (3, 6)]
        with pytest.raises(RowError, match="too_long"):
            client.score("long", [], ["x"])
        with pytest.raises(ValueError, match="either"):
            client.score("?")


def test_many_solutions_send_their_pictures_once(service: TestClient) -> None:
    client = RewardClient(ADDRESS + "/")
    sent = over(client, through(service))
    solutions = ["one\n\ntwo", ["three"], " "] * 5
    found = client.score_many("?", IMAGES, solutions)
    assert [type(own) for own in found] == [Scored, Scored, RowError] * 5
    client.score_many("?", IMAGES[:1], ["again"])
    assert [(request.method, request.url.path) for request in sent] == [
        ("PUT", "/images"), ("PUT", "/images"), ("POST", "/score"), ("POST", "/score"),
    ]  # fmt: skip
    assert [request.content for request in sent[:2]] == IMAGES
    alone = len(json.dumps({"question": "?", "images": [list(IMAGES[0])]}))
    assert len(sent[2].content) < alone


def test_pictures_that_the_store_lost_are_put_again(service: TestClient) -> None:
    client = RewardClient(ADDRESS)
    sent = over(client, through(service))
    client._protocol._put.update("sha256:" + module.hashlib.sha256(data).hexdigest() for data in IMAGES)
    assert client.score("?", IMAGES, ["x"]).step_scores == [0.01]
    assert [request.method for request in sent] == ["POST", "PUT", "PUT", "POST"]


def test_a_store_without_room_is_no_endless_loop() -> None:
    with TestClient(create_app(Lengths(), Limits(stored_bytes=len(IMAGES[0]))), base_url=ADDRESS) as small:
        client = RewardClient(ADDRESS)
        sent = over(client, through(small))
        with pytest.raises(UserError, match="its store loses"):
            client.score("?", IMAGES, ["x"])
        assert len(sent) < 10


def test_a_busy_service_is_waited_for_but_not_for_ever(monkeypatch: pytest.MonkeyPatch, service: TestClient) -> None:
    waited: list[float] = []
    # Threads that another test left behind sleep, too.
    mine = threading.main_thread()
    monkeypatch.setattr(
        module.time, "sleep", lambda s: waited.append(s) if threading.current_thread() is mine else None
    )
    client = RewardClient(ADDRESS, patience_s=30)
    busy = httpx.Response(429, headers={"Retry-After": "7"}, json={"error": "busy", "detail": "full"})
    answers = [busy, busy]
    over(client, lambda request: answers.pop() if answers else through(service)(request))
    assert client.score("?", [], ["x"]).step_scores == [0.01]
    assert waited == [7.0, 7.0]
    over(client, lambda _: busy)
    with pytest.raises(UserError, match="429 busy: full"):
        client.score("?", [], ["x"])
    assert sum(waited[2:]) == 28


def test_what_no_client_can_mend_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(module.KEY, "wrong")
    client = RewardClient(ADDRESS)
    with TestClient(create_app(Lengths(), key="right"), base_url=ADDRESS) as locked:
        sent = over(client, through(locked))
        with pytest.raises(UserError, match=r"401 no_key.*VISUALPRM_API_KEY"):
            client.score("?", [], ["x"])
        assert sent[0].headers["Authorization"] == "Bearer wrong"
    over(client, lambda _: httpx.Response(502, text="<html>bad gateway"))
    with pytest.raises(UserError, match="502 refused: <html>bad gateway"):
        client.score("?", [], ["x"])
    with pytest.raises(UserError, match=r"ConnectError.*is `visualprm serve` running there"):
        RewardClient("http://127.0.0.1:1").score("?", [], ["x"])
    with pytest.raises(RowError, match="bad_request: question"):
        client.score(" ", [], ["x"])


def test_the_async_client_does_the_same(service: TestClient) -> None:
    async def run() -> None:
        async with AsyncRewardClient(ADDRESS) as client:
            over(client, through(service))
            found = await asyncio.gather(*(client.score("?", IMAGES, ["x" * count]) for count in range(1, 5)))
            assert [own.step_scores for own in found] == [[0.01], [0.02], [0.03], [0.04]]
            with pytest.raises(RowError, match="empty_step"):
                await client.score("?", [], [""])

    asyncio.run(run())
