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


class Llm:
    """As vLLM refuses: one request with too many images ends the call for all."""

    def generate(self, requests: Sequence[dict[str, Any]], params: Any, use_tqdm: bool) -> list[Any]:
        for request in requests:
            if len(request.get("multi_modal_data", {}).get("image", ())) > MOST_IMAGES:
                raise ValueError("At most 16 image(s) may be provided in one prompt.")
        logprobs = {label: SimpleNamespace(logprob=-1.0) for label in params.logprob_token_ids}
        return [SimpleNamespace(outputs=[SimpleNamespace(logprobs=[logprobs])]) for _ in requests]


def test_a_solution_with_too_many_images_costs_no_other_its_scores() -> None:
    scorer: Any = object.__new__(VllmScorer)
    scorer._reader = Reader(family("demo")[1], read_config(str(POLICY)))
    scorer._llm, scorer._longest = Llm(), 10**6
    most, over = (Candidate("?", tuple(IMAGES[:1]) * count, ("a", "b")) for count in (MOST_IMAGES, MOST_IMAGES + 1))
    found = scorer.score_many([most, over, most])
    assert found[0] == found[2] == [0.5, 0.5]
    assert isinstance(found[1], RowError)
    assert str(found[1]) == "too_many_images: 17 images, vLLM is given at most 16"
