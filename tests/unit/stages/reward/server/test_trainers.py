"""The payloads of OpenRLHF and slime, as these post them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from stages.reward.server.app import create_app
from stages.reward.server.limits import Limits
from stages.reward.server.trainers import asked_in, read_label
from tests.unit.stages.reward.server.test_app import IMAGE, Lengths
from tests.unit.stages.reward.test_collate import IMAGES

PROMPT = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHow many?<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture(scope="module")
def scorer() -> Lengths:
    return Lengths()


@pytest.fixture(scope="module")
def client(scorer: Lengths) -> Iterator[TestClient]:
    with TestClient(create_app(scorer, Limits(wait_s=0))) as client:
        yield client


def test_openrlhf_gets_rewards_in_order(client: TestClient) -> None:
    texts = ["x\n\nyyy", " ", "x" * 50]
    body = {"query": [PROMPT + text for text in texts], "prompts": [PROMPT] * 3, "labels": ["3", "3", None]}
    found = client.post("/openrlhf?reward=min", json=body).json()
    assert found["rewards"] == found["scores"] == [0.01, 0.0, 0.5]
    assert found["extra_logs"] == {"unscored": [0.0, 1.0, 0.0], "min_step": [0.01, 0.0, 0.5]}


def test_a_label_may_bring_question_and_images(client: TestClient, scorer: Lengths) -> None:
    name = client.put("/images", content=IMAGES[0]).json()["image"]
    label = json.dumps({"answer": 3, "question": "How many bars?", "images": [name, IMAGE]})
    found = client.post("/slime", json={"prompt": PROMPT, "response": "xx\n\nxxxx", "label": label}).json()
    assert found == {"reward": pytest.approx(0.03), "unscored": 0.0, "min_step": 0.02}
    assert scorer.images[-1] == (IMAGES[0], IMAGES[0])


def test_ps_grpo_judges_the_answer(client: TestClient) -> None:
    falling = "x" * 40 + "\n\nFinal answer: 3"
    url = "/slime?reward=ps_grpo&verify=number"
    right = client.post(url, json={"prompt": "?", "response": "x\n\nFinal answer: 3", "label": "3"}).json()
    assert right["reward"] == 1.0
    dropped = client.post(url, json={"prompt": "?", "response": falling, "label": 3}).json()
    assert dropped["reward"] == 0.5
    wrong = client.post(url, json={"prompt": "?", "response": falling, "label": "4"}).json()
    assert (wrong["reward"], wrong["unscored"]) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/slime?reward=best", {"prompt": "?", "response": "x"}, "'best' is none of mean"),
        ("/slime?rewards=min", {"prompt": "?", "response": "x"}, "rewards: there are"),
        ("/slime?reward=ps_grpo", {"prompt": "?", "response": "x"}, "missing_answer"),
        ("/slime?reward=ps_grpo&verify=maths", {"prompt": "?", "response": "x", "label": "1"}, "no mode 'maths'"),
        ("/slime", {"prompt": "?"}, "response: Field required"),
        ("/slime", {"prompt": "?", "response": "x", "label": {"gold": 1}}, "label.gold"),
        ("/openrlhf", {"query": ["a", "b"], "prompts": ["a"]}, "2 queries, 1 prompts"),
    ],
)
def test_what_cannot_be_meant_is_refused(client: TestClient, path: str, body: Any, says: str) -> None:
    found = client.post(path, json=body)
    assert found.status_code == 422
    assert says in found.text


def test_the_question_is_found_in_a_prompt() -> None:
    assert asked_in(PROMPT) == "How many?"
    assert asked_in("How many?") == "How many?"
    parts = [{"type": "image"}, {"type": "text", "text": "How many?"}]
    assert asked_in([{"role": "user", "content": "No."}, {"role": "user", "content": parts}]) == "How many?"


def test_a_label_is_an_answer_unless_it_is_an_object() -> None:
    assert read_label("{1, 2}") == {"answer": "{1, 2}"}
    assert read_label(None) == {}
    assert read_label('{"answer": "x"}') == {"answer": "x"}
