"""Who answers at a cluster's door: stand-ins for its head, each with an own idea of tokens."""

from __future__ import annotations

import http.server
import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
import ray

from pipeline.cluster import joining
from pipeline.cluster.joining import join
from pipeline.errors import UserError

TOKEN = "a" * 40


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user without a token; what is asked of Ray's settings stays in the environment."""
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(joining, "_show_token", lambda: monkeypatch.setenv("RAY_AUTH_MODE", "token"))
    return tmp_path


@pytest.fixture
def joined(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, str | None]]:
    """What Ray was told: the address, and the mode that it finds."""
    told: list[tuple[Any, str | None]] = []
    monkeypatch.setattr(ray, "init", lambda **options: told.append((options, os.environ.get("RAY_AUTH_MODE"))))
    return told


@pytest.fixture
def head() -> Iterator[Callable[[str | None], str]]:
    """`head(token)` → the address of a head that wants this token, or none."""
    servers = []

    def make(token: str | None) -> str:
        def answer(_: bytes, context: grpc.ServicerContext) -> bytes:
            if token is not None and ("authorization", f"Bearer {token}") not in context.invocation_metadata():
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "InvalidAuthToken")
            return b""

        handler = grpc.unary_unary_rpc_method_handler(answer)
        service = grpc.method_handlers_generic_handler("ray.rpc.NodeInfoGcsService", {"GetClusterId": handler})
        server = grpc.server(ThreadPoolExecutor(2), handlers=(service,))
        # Ray asks for this machine by the address that others know it by.
        port = server.add_insecure_port("0.0.0.0:0")
        server.start()
        servers.append(server)
        return f"127.0.0.1:{port}"

    yield make
    for server in servers:
        server.stop(None)


def test_a_cluster_without_tokens_is_joined_as_it_is(head: Callable[[str | None], str], joined: list) -> None:
    address = head(None)
    join(address, {"logging_level": 30})
    assert joined == [({"address": address, "logging_level": 30}, None)]


@pytest.mark.parametrize("place", ["variable", "path", "home"])
def test_a_token_at_hand_is_shown(
    place: str, head: Callable[[str | None], str], joined: list, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if place == "variable":
        monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    else:
        path = home / (".ray/auth_token" if place == "home" else "mine")
        path.parent.mkdir(exist_ok=True)
        path.write_text(TOKEN + "\n")
        if place == "path":
            monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(path))
    join(head(TOKEN), {})
    assert [mode for _, mode in joined] == ["token"]


def test_what_stands_in_the_way_is_a_line_with_the_mend(
    head: Callable[[str | None], str], joined: list, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = head(TOKEN)
    with pytest.raises(UserError, match=f"^ray.address={address}: the cluster wants a token, and none is here: copy"):
        join(address, {})
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(home / "nowhere"))
    with pytest.raises(UserError, match="wants a token, and none is here"):
        join(address, {})
    monkeypatch.setenv("RAY_AUTH_TOKEN", "another")
    with pytest.raises(UserError, match="refuses the token of RAY_AUTH_TOKEN: copy"):
        join(address, {})
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with pytest.raises(UserError, match="wants a token, but RAY_AUTH_MODE is disabled here: unset it"):
        join(address, {})
    assert joined == []


def test_another_service_or_none_is_no_cluster(joined: list, monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    monkeypatch.setattr(joining, "ANSWER_S", 1.0)
    web = http.server.HTTPServer(("127.0.0.1", 0), Silent)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    with socket.socket() as mute, socket.socket() as closed:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        # bound, but not listening: nobody else gets the port meanwhile
        closed.bind(("127.0.0.1", 0))
        for port in (web.server_port, mute.getsockname()[1], closed.getsockname()[1]):
            with pytest.raises(UserError, match=f"ray.address=127.0.0.1:{port}: no Ray cluster is there") as caught:
                join(f"127.0.0.1:{port}", {})
            assert "\n" not in str(caught.value)
    web.shutdown()
    web.server_close()
    assert joined == []


@pytest.mark.parametrize("address", ["ray://head:10001", "http://head:8265"])
def test_addresses_of_other_doors_are_refused(address: str, joined: list) -> None:
    with pytest.raises(UserError, match=r":// is not supported: .* or submit it with `ray job submit`"):
        join(address, {})
    assert joined == []


def test_a_word_is_no_address(joined: list) -> None:
    with pytest.raises(UserError, match=r"ray\.address=head: must be auto, or HOST:PORT"):
        join("head", {})


def test_another_version_is_one_line(head: Callable[[str | None], str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise RuntimeError(
            "Version mismatch: The cluster was started with:\n    Ray: 2.59.0\n    Python: 3.12.1\nThis process on node"
            " 10.0.0.2 was started with:\n    Ray: 2.60.0\n    Python: 3.11.7\n"
        )

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(
        UserError, match=r"Ray: 2\.59\.0 Python: 3\.12\.1 .* install the cluster's versions here"
    ) as caught:
        join(head(None), {})
    assert "\n" not in str(caught.value)


def test_a_head_that_was_joined_answers_as_long_as_it_lives(head: Callable[[str | None], str]) -> None:
    assert joining.head_answers(head(None))
    assert joining.head_answers(head(TOKEN)), "a refusal is an answer"
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert not joining.head_answers(f"127.0.0.1:{closed.getsockname()[1]}")
