"""Which logits are taken for a step's, with a stub in vLLM's place whose logits say where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("vllm")

import torch

from stages.reward.known_slots import KnownSlots
from stages.reward.model import Reader, read_config
from stages.reward.render import Rendering
from stages.reward.vllm_ways import OnePass, StepRequests, way_of
from tests.families import POLICY, family

RENDERING = Rendering(tuple(range(10)), (4, 8), 1)
"""Ten tokens, of which the first becomes six: slots are the tokens 4 and 8, so what counts follows 3 and 7."""
GROWN = 5


class Llm:
    """Answers the place of each token as its logit, as far as it was not `cached`."""

    def __init__(self, *cached: int) -> None:
        self.cached = list(cached)
        self.asked: list[tuple[int, bool]] = []

    def encode(self, requests: Sequence[dict[str, Any]], params: Any, pooling_task: str, use_tqdm: bool) -> list[Any]:
        assert pooling_task == "token_classify"
        self.asked.append((len(requests), params.skip_reading_prefix_cache))
        found = []
        for request in requests:
            cached = 0 if params.skip_reading_prefix_cache else self.cached.pop(0)
            length = len(request["prompt_token_ids"]) + GROWN
            rows = torch.arange(cached, length).unsqueeze(1).repeat(1, 2)
            found.append(SimpleNamespace(outputs=SimpleNamespace(data=rows)))
        return found


@pytest.mark.parametrize("cached", [0, 3, 3 + GROWN])
def test_slots_are_counted_from_the_end(cached: int) -> None:
    llm = Llm(cached)
    ((rows, requests, read),) = OnePass(["+", "-"], None).logits(llm, [(RENDERING, {})])
    assert rows[:, 0].tolist() == [3 + GROWN, 7 + GROWN]
    assert (requests, read) == (1, 15 - cached)
    assert llm.asked == [(1, False)]


def test_what_the_cache_holds_was_answered_before() -> None:
    llm = Llm(0, 4 + GROWN, 2)
    found = OnePass(["+", "-"], None).logits(llm, [(RENDERING, {})] * 3)
    assert [rows[:, 0].tolist() for rows, *_ in found] == [[3 + GROWN, 7 + GROWN]] * 3
    assert [requests for _, requests, _ in found] == [1, 1, 1]
    assert [read for *_, read in found] == [15, 6, 13]
    assert llm.asked == [(3, False)]


def test_an_answer_that_is_kept_no_more_is_asked_for_again() -> None:
    llm, way = Llm(0, 4 + GROWN), OnePass(["+", "-"], None, KnownSlots(most=1))
    found = way.logits(llm, [(RENDERING, {})]) + way.logits(llm, [(RENDERING, {})])
    assert [rows[:, 0].tolist() for rows, *_ in found] == [[3 + GROWN, 7 + GROWN]] * 2
    assert [(requests, read) for _, requests, read in found] == [(1, 15), (2, 6 + 15)]
    assert llm.asked == [(1, False), (1, False), (1, True)]


def test_another_picture_has_slots_of_its_own() -> None:
    one, other = ({"multi_modal_uuids": {"image": [name]}} for name in ("a", "b"))
    llm = Llm(0, 4 + GROWN)
    found = OnePass(["+", "-"], None).logits(llm, [(RENDERING, one), (RENDERING, other)])
    assert [requests for _, requests, _ in found] == [1, 2]


def test_a_request_a_step_ends_before_its_slot() -> None:
    asked: list[list[int]] = []

    class Steps:
        def generate(self, requests: Sequence[dict[str, Any]], params: Any, use_tqdm: bool) -> list[Any]:
            asked.extend(request["prompt_token_ids"] for request in requests)
            logprobs = {label: SimpleNamespace(logprob=-float(label)) for label in params.logprob_token_ids}
            each = {"outputs": [SimpleNamespace(logprobs=[logprobs])], "num_cached_tokens": None}
            return [SimpleNamespace(prompt_token_ids=request["prompt_token_ids"], **each) for request in requests]

    ((rows, requests, read),) = StepRequests([14, 16], None).logits(Steps(), [(RENDERING, {})])
    assert asked == [[0, 1, 2, 3], [0, 1, 2, 3, 4, 5, 6, 7]]
    assert rows.tolist() == [[-14.0, -16.0]] * 2
    assert (requests, read) == (2, 12)


def test_the_way_goes_by_what_was_tried_and_the_other_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    reader = Reader(family("demo")[1], read_config(str(POLICY)))
    capsys.readouterr()
    known = SimpleNamespace(architectures=["Qwen2_5_VLForConditionalGeneration"], model_type="qwen2_5_vl")
    way = way_of(known, "prm", reader, True, None)
    assert isinstance(way, OnePass)
    assert way.tokens == ["+", "-"]
    assert way.args["hf_overrides"]["text_config"]["tie_word_embeddings"] is False
    assert capsys.readouterr().err == ""
    unknown = SimpleNamespace(architectures=["LlavaForConditionalGeneration"], model_type="llava")
    assert isinstance(way_of(unknown, "prm", reader, None, None), StepRequests)
    assert "one request a step: LlavaForConditionalGeneration was not tried" in capsys.readouterr().err
    quantised = SimpleNamespace(**vars(known), quantization_config={"quant_method": "fp8"})
    other = way_of(quantised, "prm", reader, False, None)
    assert "its weights are quantised" in capsys.readouterr().err
    assert other.args == {"hf_overrides": {"text_config": {"tie_word_embeddings": True}}}
    assert StepRequests([1, 2], None).args == {}
