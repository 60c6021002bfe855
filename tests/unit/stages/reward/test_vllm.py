"""What the scorer on vLLM asks for, with a stub in vLLM's place."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.errors import RowError
from stages.reward.model import Candidate, Reader, read_config
from tests.families import POLICY, family
from tests.unit.stages.reward.test_collate import IMAGES

pytest.importorskip("vllm")

from stages.reward.vllm import MOST_IMAGES, VllmScorer
from stages.reward.vllm_ways import OnePass, StepRequests, Way


class Llm:
    """As vLLM refuses: one request with too many images ends the call for all."""

    def encode(self, requests: Sequence[dict[str, Any]], *_: Any, **__: Any) -> list[Any]:
        import torch

        self.check(requests)
        return [
            SimpleNamespace(outputs=SimpleNamespace(data=torch.zeros(len(request["prompt_token_ids"]) + 15, 2)))
            for request in requests
        ]

    def generate(self, requests: Sequence[dict[str, Any]], params: Any, use_tqdm: bool) -> list[Any]:
        self.check(requests)
        logprobs = {label: SimpleNamespace(logprob=-1.0) for label in params.logprob_token_ids}
        return [
            SimpleNamespace(
                outputs=[SimpleNamespace(logprobs=[logprobs])],
                prompt_token_ids=request["prompt_token_ids"],
                num_cached_tokens=10,
            )
            for request in requests
        ]

    def check(self, requests: Sequence[dict[str, Any]]) -> None:
        for request in requests:
            if len(request.get("multi_modal_data", {}).get("image", ())) > MOST_IMAGES:
                raise ValueError("At most 16 image(s) may be provided in one prompt.")


def scorer(kind: str) -> VllmScorer:
    made: Any = object.__new__(VllmScorer)
    made._reader = Reader(family("demo")[1], read_config(str(POLICY)))
    made._llm, made._longest, made.requests, made.prefilled = Llm(), 10**6, 0, 0
    ways: dict[str, Way] = {"one": OnePass(["+", "-"], False), "steps": StepRequests([14, 16], False)}
    made._way = ways[kind]
    found: VllmScorer = made
    return found


@pytest.mark.parametrize(("kind", "requests"), [("one", 2), ("steps", 4)])
def test_a_solution_with_too_many_images_costs_no_other_its_scores(kind: str, requests: int) -> None:
    opened = scorer(kind)
    most, over = (Candidate("?", tuple(IMAGES[:1]) * count, ("a", "b")) for count in (MOST_IMAGES, MOST_IMAGES + 1))
    found = opened.score_many([most, over, most])
    assert found[0] == found[2] == [0.5, 0.5]
    assert isinstance(found[1], RowError)
    assert str(found[1]) == "too_many_images: 17 images, vLLM is given at most 16"
    assert opened.requests == requests
    assert isinstance(opened.score_many([over])[0], RowError)
    assert opened.requests == requests, "nothing to ask for"
