"""The two ways to ask vLLM for the logits at a solution's slots.

All steps of a solution are one request: vLLM is told that the labels' rows of the language head are a classifier of
tokens, and gives every token's logits at the labels. Slots are found by their place, counted from the end, because
images stand before the first of them, and vLLM makes these longer. For a model that vLLM is not known to read so, there
is a request for each step, for one token's worth of logprobs at the labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from pipeline.terminal.speak import say
from stages.reward.known_slots import KnownSlots, slot_keys
from stages.reward.model import Reader
from stages.reward.render import Rendering

ONE_PASS = frozenset(
    {"InternVLForConditionalGeneration", "Qwen2_5_VLForConditionalGeneration", "Qwen3VLForConditionalGeneration"}
)
"""Architectures with which both ways were found to give the same, with tied and untied heads."""
Asked = tuple[Rendering, dict[str, Any]]
"""A conversation and its images as vLLM takes them."""
Logits = tuple[Any, int, int]
"""A tensor [steps, labels] of logits (`Way.heights`); the requests that it took, and their tokens to read."""


class Way(Protocol):
    """How the logits at the slots are asked for."""

    heights: ClassVar[bool]
    """Whether they are logits as the model gave them; else a constant a step is missing, which scores don't need."""

    @property
    def args(self) -> dict[str, Any]:
        """Arguments of `LLM`."""

    def logits(self, llm: Any, asked: Sequence[Asked]) -> list[Logits]: ...


@dataclass(frozen=True)
class OnePass:
    """One request a solution.

    `tokens` are the labels as entries of the vocabulary; `own_head` whether the language head has weights of its own.
    """

    tokens: list[str]
    own_head: bool | None
    known: KnownSlots = field(default_factory=KnownSlots)
    heights: ClassVar[bool] = True

    @property
    def args(self) -> dict[str, Any]:
        labels = {"classifier_from_token": self.tokens}
        return {
            "runner": "pooling",
            "convert": "classify",
            # The loader looks for the labels in both places.
            "hf_overrides": {
                "method": "no_post_processing",
                **labels,
                "text_config": {**labels, **tied(self.own_head)},
            },
            "pooler_config": {"task": "token_classify", "use_activation": False},
        }

    def logits(self, llm: Any, asked: Sequence[Asked]) -> list[Logits]:
        import torch

        found = self._encode(llm, asked, skip_cache=False)
        keys = [slot_keys(rendering, names_of(images)) for rendering, images in asked]
        rows = []
        for (data, *_), (rendering, _), own in zip(found, asked, keys, strict=True):
            there = given(data, rendering)
            rows.append(list(at_slots(data, rendering, there)))
            self.known.add(own[there:], rows[-1])
        # What came from the prefix cache has no logits now. It had them when it was read first; where these are not kept any
        # more, everything is read again.
        before = [
            list(map(self.known.get, own[: len(own) - len(there)])) for own, there in zip(keys, rows, strict=True)
        ]
        lost = [index for index, own in enumerate(before) if any(row is None for row in own)]
        again = self._encode(llm, [asked[index] for index in lost], skip_cache=True) if lost else []
        for index, (data, _, read) in zip(lost, again, strict=True):
            before[index], rows[index] = [], list(at_slots(data, asked[index][0]))
            self.known.add(keys[index], rows[index])
            found[index] = (data, 2, found[index][2] + read)
        return [
            (torch.stack(first + rest), requests, read)
            for first, rest, (_, requests, read) in zip(before, rows, found, strict=True)
        ]

    def _encode(self, llm: Any, asked: Sequence[Asked], skip_cache: bool) -> list[Logits]:
        from vllm import PoolingParams

        requests = [{"prompt_token_ids": list(rendering.token_ids), **images} for rendering, images in asked]
        params = PoolingParams(skip_reading_prefix_cache=skip_cache)
        outputs = llm.encode(requests, params, pooling_task="token_classify", use_tqdm=False)
        return [(output.outputs.data, 1, len(output.outputs.data)) for output in outputs]


def names_of(images: Mapping[str, Any]) -> list[str]:
    """The hashes of a conversation's images."""
    return list(images.get("multi_modal_uuids", {}).get("image", ()))


def given(data: Any, rendering: Rendering) -> int:
    """How many slots, the first ones, have no row in the logits of a conversation's last tokens."""
    missing = len(rendering.token_ids) - len(data)
    return sum(slot - 1 < missing for slot in rendering.slots)


def at_slots(data: Any, rendering: Rendering, first: int = 0) -> Any:
    """The rows of logits that predict the labels, of the logits of a conversation's last tokens, from slot `first` on.

    A row is counted from the end: before it there are more tokens than in the rendering (images), or fewer (cached).
    """
    return data[[slot - 1 - len(rendering.token_ids) + len(data) for slot in rendering.slots[first:]]]


@dataclass(frozen=True)
class StepRequests:
    """One request a step, for the logprobs of given ids at the next token: `prompt_logprobs=k` may leave a label out.

    The requests of one solution share their prefix, so the cache makes them cost little more than one pass.
    """

    label_ids: list[int]
    own_head: bool | None
    heights: ClassVar[bool] = False

    @property
    def args(self) -> dict[str, Any]:
        return {"hf_overrides": {"text_config": tied(self.own_head)}} if self.own_head is not None else {}

    def logits(self, llm: Any, asked: Sequence[Asked]) -> list[Logits]:
        import torch
        from vllm.sampling_params import SamplingParams

        requests = [
            {"prompt_token_ids": list(rendering.token_ids[:slot]), **images}
            for rendering, images in asked
            for slot in rendering.slots
        ]
        params = SamplingParams(max_tokens=1, temperature=0, logprob_token_ids=self.label_ids)
        outputs = iter(llm.generate(requests, params, use_tqdm=False))
        found = []
        for rendering, _ in asked:
            own = [next(outputs) for _ in rendering.slots]
            # Logprobs differ from logits by a constant, which the softmax over the labels takes out.
            rows = [[each.outputs[0].logprobs[0][label].logprob for label in self.label_ids] for each in own]
            read = sum(len(each.prompt_token_ids) - (each.num_cached_tokens or 0) for each in own)
            found.append((torch.tensor(rows), len(own), read))
        return found


def tied(own_head: bool | None) -> dict[str, Any]:
    """The setting as the checkpoint's weights have it.

    vLLM believes `text_config` alone; where that is wrong it goes on with a head of whatever is in memory.
    """
    return {} if own_head is None else {"tie_word_embeddings": not own_head}


def way_of(model: Any, name: str, reader: Reader, own_head: bool | None, one_pass: bool | None) -> Way:
    """One pass where vLLM is known to read the model so; a line on stderr names the other way."""
    architecture = next(iter(model.architectures or ()), model.model_type)
    quantised = getattr(model, "quantization_config", None) is not None
    if one_pass is None:
        one_pass = architecture in ONE_PASS and not quantised
        if not one_pass:
            why = "its weights are quantised" if quantised else f"{architecture} was not tried in one pass"
            say(f"{name}: scored on vLLM by one request a step: {why}")
    if one_pass:
        return OnePass(reader.processor.tokenizer.convert_ids_to_tokens(list(reader.label_ids)), own_head)
    return StepRequests(list(reader.label_ids), own_head)
