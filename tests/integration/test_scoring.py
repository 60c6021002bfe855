"""The same scores from transformers and from vLLM, from one process and from Ray's actors, and over HTTP."""

from __future__ import annotations

import base64
import json
import signal
import socket
import subprocess
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.scorer import POLICY, solutions
from pipeline.errors import RowError
from pipeline.stopping.signals import STOPPED
from stages.reward.model import Candidate, ProcessRewardModel
from tests.integration.conftest import Command, Start
from tests.waiting import MOST_S, wait_until

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def items() -> list[Candidate]:
    """Solutions of drawn problems; one of two images, one of none, one too long."""
    found = solutions(8, 2)
    pair = Candidate("<image> or <image>?", found[0].images + found[-1].images, ("The left one.", "So A + B."))
    return [*found, pair, Candidate("What is 1 + 1?", (), ("2",)), Candidate("?", (), ("word " * 5000,))]


@pytest.fixture(scope="module")
def expected(items: list[Candidate]) -> list[list[float] | RowError]:
    return ProcessRewardModel.from_pretrained(POLICY, device="cpu", dtype="float32").score_many(items)


def test_vllm_gives_the_scores_of_transformers(items: list[Candidate], expected: list) -> None:
    from stages.reward.vllm import VllmScorer

    with closing(VllmScorer(POLICY, dtype="float32")) as scorer:
        found = scorer.score_many(items)
    for own, other in zip(found[:-1], expected[:-1], strict=True):
        assert own == pytest.approx(other, abs=2e-3)
    assert [each.reason for each in (found[-1], expected[-1]) if isinstance(each, RowError)] == ["too_long"] * 2


def test_actors_score_a_file_in_order(
    visualprm: Command, tmp_path: Path, items: list[Candidate], expected: list
) -> None:
    rows = [
        {"id": str(index), "question": item.question, "images": images(item), "steps": item.steps}
        for index, item in enumerate(items * 8)
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    done = visualprm("score", POLICY, tmp_path / "in.jsonl", "--out", tmp_path / "out.jsonl", "--replicas", 2)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "without a score: 8 × too_long" in done.stdout
    scored = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["id"] for row in scored] == [row["id"] for row in rows]
    for row, own in zip(scored, expected * 8, strict=True):
        assert row["step_scores"] == (None if isinstance(own, RowError) else pytest.approx(own, abs=1e-5))


def test_a_service_answers_until_it_is_stopped(start: Start, items: list[Candidate], expected: list) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = start("serve", POLICY, "--port", port)
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert process.poll() is None
        try:
            return json.load(urllib.request.urlopen(f"{address}/health"))["model"] == POLICY
        except OSError:
            return False

    wait_until(answers)
    body: dict[str, Any] = {"question": items[0].question, "images": images(items[0]), "steps": items[0].steps}
    request = urllib.request.Request(
        f"{address}/score", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    assert json.load(urllib.request.urlopen(request))["step_scores"] == pytest.approx(expected[0], abs=1e-5)
    assert httpx.post(f"{address}/score", json=body, timeout=MOST_S).json()["step_scores"] == pytest.approx(
        expected[0], abs=1e-5
    )
    curl = ["curl", "-sf", f"{address}/score", "-H", "Content-Type: application/json", "-d", "@-"]
    done = subprocess.run(curl, input=json.dumps(body), capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["step_scores"] == pytest.approx(expected[0], abs=1e-5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == STOPPED


def images(item: Candidate) -> list[str]:
    return [base64.b64encode(data).decode() for data in item.images]
