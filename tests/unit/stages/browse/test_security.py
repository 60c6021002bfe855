"""Who gets in, and what every answer says a page may do."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from pipeline.errors import UserError
from stages.browse.security import HEADERS, Guard
from stages.browse.serving import listening


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()

    @app.get("/{rest:path}")
    def page(rest: str) -> str:
        return rest

    @app.post("/change")
    def change() -> str:
        return "changed"

    return TestClient(Guard(app, "right", 8642), base_url="http://127.0.0.1:8642", follow_redirects=False)


def test_without_the_token_there_is_nothing(client: TestClient) -> None:
    for path in ("/", "/static/browse.css", "/?token=wrong", "/?token="):
        answer = client.get(path)
        assert answer.status_code == 403
        assert "Open the link" in answer.text


def test_the_link_gives_a_cookie_and_leaves_the_address(client: TestClient) -> None:
    answer = client.get("/c/0/?q=a&token=right")
    assert (answer.status_code, answer.headers["location"]) == (303, "/c/0/?q=a")
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "SameSite=strict" in answer.headers["set-cookie"]
    assert client.get("/c/0/").status_code == 200


def test_it_never_leads_to_another_host(client: TestClient) -> None:
    assert client.get("http://127.0.0.1:8642//evil.example/?token=right").headers["location"] == "/evil.example/"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8642", "127.0.0.1.evil.example:8642", ""])
def test_another_name_of_this_machine_is_refused(client: TestClient, host: str) -> None:
    assert client.get("/?token=right", headers={"host": host}).status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "application/json"}, 200),
        ({"content-type": "application/json; charset=utf-8", "origin": "http://127.0.0.1:8642"}, 200),
        ({"content-type": "application/json", "origin": "http://evil.example"}, 403),
        ({"content-type": "application/json", "sec-fetch-site": "cross-site"}, 403),
        ({"content-type": "application/x-www-form-urlencoded"}, 403),
        ({}, 403),
    ],
)
def test_only_the_page_itself_changes_something(client: TestClient, headers: dict[str, str], status: int) -> None:
    client.get("/?token=right")
    assert client.post("/change", content="{}", headers=headers).status_code == status


def test_every_answer_says_what_a_page_may_do(client: TestClient) -> None:
    client.get("/?token=right")
    for path in ("/", "/?token=wrong"):
        headers = client.get(path).headers
        assert {name: headers[name] for name in HEADERS} == HEADERS
    assert "unsafe" not in HEADERS["content-security-policy"]


def test_a_taken_port_is_one_line() -> None:
    with listening("127.0.0.1", 0) as held:
        port = held.getsockname()[1]
        with pytest.raises(UserError, match=f"--port {port}: Address already in use"), listening("127.0.0.1", port):
            pass
    with pytest.raises(UserError, match="from 0 to 65535"), listening("127.0.0.1", 70_000):
        pass


def test_without_a_port_the_next_free_one_is_taken() -> None:
    with listening("127.0.0.1", None) as first, listening("127.0.0.1", None) as second:
        assert first.getsockname()[1] < second.getsockname()[1]
