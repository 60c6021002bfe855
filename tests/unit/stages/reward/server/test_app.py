"""The service's routes with a scorer that needs no model: answers, batches, limits and refusals."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient

from pipeline.config import SplitConfig
from pipeline.errors import RowError
from stages.reward.beta import StepScores, intervals
from stages.reward.model import Candidate, read_config
from stages.reward.server.app import create_app
from stages.reward.server.limits import Limits
from stages.reward.server.reading import read_candidates
from stages.reward.server.wire import ScoreRequest
from tests.families import POLICY
from tests.shards import picture
from tests.unit.stages.reward.test_collate import IMAGES

IMAGE = base64.b64encode(IMAGES[0]).decode()


WIDE = base64.b64encode(picture(1, 2000, 2000)).decode()
"""A small file of many pixels."""


class Lengths:
    """Scores a step by its length, after `gate` opens; keeps its batches' sizes and the images that it was given."""

    name = "lengths"
    config = read_config(str(POLICY))

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.batches: list[int] = []
        self.images: list[tuple[bytes, ...]] = []

    def score_many(self, candidates: Sequence[Candidate]) -> list[list[float] | RowError]:
        self.batches.append(len(candidates))
        self.images += [each.images for each in candidates]
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


def test_a_model_of_counts_answers_with_intervals() -> None:
    class Counting(Lengths):
        def score_many(self, candidates: Sequence[Candidate]) -> list[list[float] | RowError]:
            return [StepScores([0.5] * len(each.steps), [20.0] * len(each.steps)) for each in candidates]

    with TestClient(create_app(Counting(), Limits(wait_s=0.001))) as client:
        found = client.post("/score", json={"question": "?", "steps": ["x", "y"]}).json()
    ((low, high),) = intervals([0.5], [20.0])
    assert (found["step_low"], found["step_high"]) == ([low] * 2, [high] * 2)


def test_a_solution_is_scored_by_steps_or_as_a_text(client: TestClient) -> None:
    found = client.post("/score", json={"question": "?", "images": [IMAGE], "steps": ["x", "yyy"]})
    assert found.status_code == 200
    assert found.json()["step_scores"] == [0.01, 0.03]
    assert found.json()["scores"]["min"] == 0.01
    assert (found.json()["step_low"], found.json()["step_high"]) == (None, None)
    text = client.post(
        "/score", json={"question": "?", "images": [f"data:image/png;base64,{IMAGE}"], "response": "x\n\ny"}
    )
    assert text.json()["steps"] == ["x", "y"]


def test_options_are_put_behind_the_question() -> None:
    request = ScoreRequest(question="Which?", options=["3", "4"], steps=["x"])
    (found,) = read_candidates(request, [], Limits(), Lengths.config)
    assert isinstance(found, Candidate)
    assert found.question == "Which?\nA. 3\nB. 4"


def test_a_response_is_cut_as_the_models_dataset_was(client: TestClient, scorer: Lengths) -> None:
    scorer.config = scorer.config.model_copy(update={"split": SplitConfig(kind="sentences")})
    found = client.post("/score", json={"question": "?", "response": "One. Two!\n\nThree."}).json()
    assert found["steps"] == ["One.", "Two!", "Three."]
    assert found["spans"] == [[0, 4], [5, 9], [11, 17]]


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
        ({"question": "crash", "steps": ["x"]}, 500, "scorer_failed"),
        ({"question": "?", "solutions": []}, 422, "at least 1 item"),
        ({"question": "?", "solutions": [{"steps": ["x"]}], "steps": ["x"]}, 422, "give either"),
        ({"question": "?", "solutions": [{"steps": ["x"], "response": "x"}]}, 422, "solutions.0: give either"),
        ({"question": "?", "steps": ["x"], "images": ["sha256:" + "0" * 64]}, 404, "unknown_image"),
    ],
)
def test_what_cannot_be_scored_is_refused_with_a_reason(client: TestClient, body: Any, status: int, says: str) -> None:
    found = client.post("/score", json=body)
    assert found.status_code == status
    assert says in found.text
    assert set(found.json()) >= {"error", "detail"}
    assert client.post("/score", json={"question": "?", "steps": ["x"]}).status_code == 200


def test_a_body_without_a_length_is_bounded_too(client: TestClient) -> None:
    found = client.post("/score", content=(b"x" * 1000 for _ in range(1000)))
    assert found.status_code == 413
    assert found.json()["error"] == "body_too_large"


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "error"),
    [
        ("GET", "/nowhere", None, 404, "not_found"),
        ("GET", "/score", None, 405, "method_not_allowed"),
        ("POST", "/images", b"x", 405, "method_not_allowed"),
        ("POST", "/score", b"{", 422, "bad_request"),
        ("POST", "/score", b"\xff\xfe", 422, "bad_request"),
        ("POST", "/score", b"[" * 10_000, 422, "bad_request"),
        ("POST", "/score", b"", 422, "bad_request"),
        ("PUT", "/images", b"", 422, "bad_image"),
        ("PUT", "/images", b"GIF", 422, "bad_image"),
        ("PUT", "/images", IMAGES[0][:-40], 422, "truncated_image"),
        ("PUT", "/images", base64.b64decode(WIDE), 422, "image_too_large"),
    ],
)
def test_every_error_has_one_shape(
    client: TestClient, method: str, path: str, content: bytes | None, status: int, error: str
) -> None:
    found = client.request(method, path, content=content)
    assert (found.status_code, found.json()["error"]) == (status, error)
    assert found.json()["detail"]


def test_several_solutions_of_a_question_go_in_one_request(client: TestClient, scorer: Lengths) -> None:
    solutions: list[dict[str, Any]] = [{"steps": ["x", "yyy"]}, {"steps": [" "]}, {"response": "x\n\nyy\n\n"}]
    found = client.post("/score", json={"question": "?", "images": [IMAGE], "solutions": solutions}).json()
    one, empty, text = found["solutions"]
    assert one["step_scores"] == [0.01, 0.03]
    assert empty == {"error": "empty_step", "detail": "step 1 of 1 is empty", "missing": None}
    assert text["steps"] == ["x", "yy\n\n"]
    assert text["spans"] == [[0, 1], [3, 7]]
    assert scorer.batches == [2]


def test_a_picture_is_put_once_and_named_in_requests(client: TestClient, scorer: Lengths) -> None:
    put = client.put("/images", content=IMAGES[0])
    assert put.status_code == 200
    assert (put.json()["width"], put.json()["height"], put.json()["bytes"]) == (100, 60, len(IMAGES[0]))
    name = put.json()["image"]
    assert name == "sha256:" + hashlib.sha256(IMAGES[0]).hexdigest()
    body = {"question": "?", "images": [name, IMAGE], "solutions": [{"steps": ["x"]}] * 2}
    assert client.post("/score", json=body).status_code == 200
    assert scorer.images == [(IMAGES[0], IMAGES[0])] * 2
    other = "sha256:" + "0" * 64
    lost = client.post("/score", json={"question": "?", "images": [name, other, other], "steps": ["x"]})
    assert lost.status_code == 404
    assert lost.json()["missing"] == [other]


def test_probes_models_and_metrics(client: TestClient) -> None:
    for path in ("/health", "/ready"):
        assert client.head(path).status_code == client.get(path).status_code == 200
    assert [model["id"] for model in client.get("/v1/models").json()["data"]] == ["lengths"]
    client.post("/score", json={"question": "?", "steps": ["x", "y"]})
    client.get("/nowhere")
    lines = client.get("/metrics").text.splitlines()
    for line in (
        'visualprm_requests_total{path="/score",status="200"} 1.0',
        'visualprm_requests_total{path="other",status="404"} 1.0',
        "visualprm_batch_solutions_count 1.0",
        "visualprm_steps_total 2.0",
        "visualprm_waiting 0.0",
    ):
        assert line in lines


def test_a_service_that_cannot_score_is_not_ready(client: TestClient) -> None:
    client.post("/score", json={"question": "crash", "steps": ["x"]})
    assert client.get("/ready").status_code == 503
    assert client.get("/health").status_code == 200
    client.post("/score", json={"question": "?", "steps": ["x"]})
    assert client.get("/ready").status_code == 200


def test_a_key_is_asked_for_but_not_by_probes(scorer: Lengths) -> None:
    with TestClient(create_app(scorer, key="secret")) as client:
        assert client.get("/health").status_code == client.get("/ready").status_code == 200
        for headers in ({}, {"Authorization": "secret"}, {"Authorization": "Bearer secret2"}):
            refused = client.get("/v1/models", headers=headers)
            assert (refused.status_code, refused.json()["error"]) == (401, "no_key")
        assert client.get("/v1/models", headers={"Authorization": "Bearer secret"}).status_code == 200


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
    assert statuses == [200] * 4 + [429] * 2
    turned_away = next(each.result() for each in rest if each.result().status_code == 429)
    assert turned_away.json()["error"] == "busy"
    assert 1 <= int(turned_away.headers["Retry-After"]) <= 60
    assert scorer.batches == [1, 4]
