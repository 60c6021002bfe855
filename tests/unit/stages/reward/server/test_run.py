"""Listening for real, with bounds small enough to run into."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn

from pipeline.cli import main
from pipeline.errors import UserError
from pipeline.stopping.signals import STOPPED
from stages.reward import open_scorer
from stages.reward.server import run
from stages.reward.server.app import create_app
from stages.reward.server.limits import Limits
from stages.reward.server.run import KEY, bounded, check_place, key_of
from tests.families import POLICY
from tests.places import ROOT
from tests.unit.stages.reward.server.test_app import Lengths
from tests.waiting import wait_until


@contextmanager
def listening(limits: Limits, scorer: Lengths | None = None) -> Iterator[tuple[int, uvicorn.Server, threading.Thread]]:
    """The port, the server and its thread."""
    app = create_app(scorer or Lengths(), limits)
    http = bounded(limits.header_s, limits.connections)
    config = uvicorn.Config(app, port=0, http=http, log_level="critical", timeout_graceful_shutdown=1, ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    yield server.servers[0].sockets[0].getsockname()[1], server, thread
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


def answer(connection: socket.socket) -> tuple[int, dict[str, Any]]:
    """What a connection gets until the service closes it."""
    data = b"".join(iter(lambda: connection.recv(4096), b""))
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def test_headers_that_do_not_come_are_cut_whenever_they_begin() -> None:
    with listening(Limits(header_s=0.1)) as (port, *_):
        for begun in (b"", b"GET /health HT", b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: "):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                connection.sendall(begun)
                status, body = answer(connection)
                assert (status, body["error"]) == (408, "too_slow")
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
            connection.sendall(b"GET /health HT")
            assert answer(connection)[0] == 408


def test_what_is_not_http_is_refused_in_the_same_shape() -> None:
    with (
        listening(Limits()) as (port, *_),
        socket.create_connection(("127.0.0.1", port), timeout=10) as connection,
    ):
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        status, body = answer(connection)
        assert (status, body["error"]) == (400, "bad_request")


def test_more_connections_than_there_may_be_are_turned_away() -> None:
    with listening(Limits(connections=2)) as (port, *_):
        first = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(2)]
        with socket.create_connection(("127.0.0.1", port), timeout=10) as third:
            status, body = answer(third)
            assert (status, body["error"]) == (503, "too_many_connections")
        for each in first:
            each.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert answer(each)[0] == 200
            each.close()


@pytest.mark.parametrize(
    "begun",
    [
        b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Le",
        b'POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{"question"',
        b'POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 33\r\n\r\n{"question": "?", "steps": ["x"]}\n',
    ],
    ids=["half a header", "half a body", "in the model"],
)
def test_no_client_holds_the_stop(begun: bytes) -> None:
    scorer = Lengths()
    scorer.gate.clear()
    with listening(Limits(), scorer) as (port, server, thread):
        connection = socket.create_connection(("127.0.0.1", port), timeout=10)
        connection.sendall(begun)
        time.sleep(0.05)
        server.should_exit = True
        thread.join(8)
        assert not thread.is_alive()
        connection.close()
    scorer.gate.set()


HANGING = """
import sys, time
from pipeline.stopping.signals import stop_by_signals
from stages.reward.server import app, run
from stages.reward.server.limits import Limits
from tests.unit.stages.reward.server.test_app import Lengths

stop_by_signals()
app.read_picture = lambda *_: print("reading", flush=True) or time.sleep(600)
run.serve(Lengths(), "127.0.0.1", int(sys.argv[1]), Limits(stop_s=1, end_s=2))
"""


def listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def test_a_thread_that_hangs_does_not_hold_the_stop() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", HANGING, str(port)], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        wait_until(lambda: listens(port))
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(b"PUT /images HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx")
            assert process.stdout is not None
            assert process.stdout.readline() == "reading\n"
            process.send_signal(signal.SIGTERM)
            status, body = answer(connection)
        assert (status, body["error"]) == (503, "stopping")
        assert process.wait(60) == STOPPED
    finally:
        process.kill()
        process.wait()


def test_a_taken_port_is_found_before_a_model_is_loaded(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(open_scorer, "open_scorer", lambda _: pytest.fail("a model was loaded"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit) as ended:
            main(["serve", str(POLICY), "--port", str(port)])
    assert ended.value.code == 2
    assert f"--port {port}: Address already in use" in capsys.readouterr().err
    check_place("127.0.0.1", port)
    for host, number in (("127.0.0.1", 70_000), ("203.0.113.1", 8000), ("no.such.host.invalid", 8000)):
        with pytest.raises(UserError, match=f"--port {number}: "):
            check_place(host, number)


def test_who_listens_to_others_without_a_key_is_told(capsys: Any) -> None:
    assert key_of({}, "127.0.0.1") is None
    assert key_of({KEY: "k"}, "0.0.0.0") == "k"
    assert capsys.readouterr().err == ""
    assert key_of({KEY: ""}, "0.0.0.0") is None
    assert f"set {KEY}" in capsys.readouterr().err


def test_connections_are_as_many_as_file_descriptors_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[Any] = []
    monkeypatch.setattr(run.resource, "getrlimit", lambda _: (1024, 4096))
    monkeypatch.setattr(run.resource, "setrlimit", lambda _, both: raised.append(both))
    assert run.files() == 3996
    assert raised == [(4096, 4096)]
