"""The HTTP service with a scorer that needs no model: answers, batches, limits and refusals."""

from __future__ import annotations

import base64
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient

from pipeline.cli import main
from pipeline.errors import RowError, UserError
from stages.reward import score_files
from stages.reward.model import Candidate, read_config
from stages.reward.serve import Limits, ScoreRequest, check_place, create_app, read_candidate
from tests.families import POLICY
from tests.shards import picture
from tests.unit.stages.reward.test_collate import IMAGES

IMAGE = base64.b64encode(IMAGES[0]).decode()


WIDE = base64.b64encode(picture(1, 2000, 2000)).decode()
"""A small file of many pixels."""


class Lengths:
    """Scores a step by its length, after `gate` opens; keeps the sizes of its batches."""

    name = "lengths"
    config = read_config(str(POLICY))

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.batches: list[int] = []

    def score_many(self, candidates: Sequence[Candidate]) -> list[list[float] | RowError]:
        self.batches.append(len(candidates))
        assert self.gate.wait(20)
        if any(each.question == "crash" for each in candidates):
            raise ZeroDivisionError
        return [
            RowError("too_long", "1,000 tokens")
            if each.question == "long"
            else [len(step) / 100 for step in each.steps]
            for each in candidates
        ]


@pytest.fixture
def scorer() -> Lengths:
    return Lengths()


@pytest.fixture
def client(scorer: Lengths) -> Iterator[TestClient]:
    limits = Limits(body_bytes=200_000, image_bytes=30_000, pixels=1_000_000, waiting=4, wait_s=0.001)
    with TestClient(create_app(scorer, limits), raise_server_exceptions=False) as client:
        yield client


def test_a_solution_is_scored_by_steps_or_as_a_text(client: TestClient) -> None:
    found = client.post("/score", json={"question": "?", "images": [IMAGE], "steps": ["x", "yyy"]})
    assert found.status_code == 200
    assert found.json()["step_scores"] == [0.01, 0.03]
    assert found.json()["scores"]["min"] == 0.01
    text = client.post(
        "/score", json={"question": "?", "images": [f"data:image/png;base64,{IMAGE}"], "response": "x\n\ny"}
    )
    assert text.json()["steps"] == ["x", "y"]


def test_options_are_put_behind_the_question() -> None:
    request = ScoreRequest(question="Which?", options=["3", "4"], steps=["x"])
    assert read_candidate(request, Limits()).question == "Which?\nA. 3\nB. 4"


def test_health_and_documentation(client: TestClient) -> None:
    assert client.get("/health").json() == {
        "status": "ok", "model": "lengths", "kind": "prm", "labels": ["+", "-"], "trained": False,
        "waiting": 0,
    }  # fmt: skip
    assert "/score" in client.get("/openapi.json").json()["paths"]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"question": "?"}, 422, "give either"),
        ({"question": " ", "steps": ["x"]}, 422, "question: "),
        ({"question": "?", "steps": ["x"], "response": "x"}, 422, "give either"),
        ({"question": "?", "steps": []}, 422, "at least 1 item"),
        ({"question": "?", "steps": ["x"], "image": IMAGE}, 422, "image: Extra inputs"),
        ({"question": "?", "steps": ["x"], "images": ["/etc/passwd"]}, 422, "bad_image"),
        ({"question": "?", "steps": ["x"], "images": ["http://localhost/x.png"]}, 422, "bad_image"),
        ({"question": "?", "steps": ["x"], "images": [IMAGE[:400]]}, 422, "_image"),
        ({"question": "?", "steps": ["x"], "images": ["A" * 50_000]}, 422, "image_too_large"),
        ({"question": "?", "steps": ["x"], "images": ["A"] * 17}, 422, "at most 16"),
        ({"question": "?", "response": ""}, 422, "empty_step"),
        ({"question": "?", "response": " \n\n\t"}, 422, "empty_step"),
        ({"question": "?", "steps": ["x", " "]}, 422, "step 2 of 2 is empty"),
        ({"question": "?", "steps": ["x"], "images": [WIDE]}, 422, "image_too_large"),
        ({"question": "?", "steps": ["x"], "images": [WIDE[: len(WIDE) // 8 * 4]]}, 422, "4,000,000"),
        ({"question": "long", "steps": ["x"]}, 422, "too_long"),
        ({"question": "?", "steps": ["x" * 90_000] * 3}, 413, "body_too_large"),
        ({"question": "crash", "steps": ["x"]}, 500, "Internal Server Error"),
    ],
)
def test_what_cannot_be_scored_is_refused_with_a_reason(client: TestClient, body: Any, status: int, says: str) -> None:
    found = client.post("/score", json=body)
    assert found.status_code == status
    assert says in found.text
    assert client.post("/score", json={"question": "?", "steps": ["x"]}).status_code == 200


def test_a_body_without_a_length_is_bounded_too(client: TestClient) -> None:
    assert client.post("/score", content=(b"x" * 1000 for _ in range(1000))).status_code == 413


def test_requests_share_batches_and_too_many_are_turned_away(client: TestClient, scorer: Lengths) -> None:
    scorer.gate.clear()
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(client.post, "/score", json={"question": "?", "steps": ["x"]})
        while not scorer.batches:
            time.sleep(0.002)
        rest = [pool.submit(client.post, "/score", json={"question": "?", "steps": ["x"] * k}) for k in range(1, 7)]
        while client.get("/health").json()["waiting"] < 4 or sum(each.done() for each in rest) < 2:
            time.sleep(0.002)
        scorer.gate.set()
        statuses = sorted(each.result().status_code for each in rest)
    assert first.result().status_code == 200
    assert statuses == [200] * 4 + [503] * 2
    assert scorer.batches == [1, 4]


def test_a_taken_port_is_found_before_a_model_is_loaded(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(score_files, "open_scorer", lambda _: pytest.fail("a model was loaded"))
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
