"""A reward model on vLLM, which only reads: one request a solution where vLLM can (`stages/reward/vllm_ways.py`)."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from PIL import Image as PillowImage

from pipeline.engine.parent import offer_plugin
from pipeline.engine.vllm import CPU_ARGS
from pipeline.errors import RowError
from pipeline.inputs import located
from pipeline.records import Image
from stages.reward.model import Candidate, Reader, image_errors, read_config
from stages.reward.render import Rendering
from stages.reward.vllm_ways import OnePass, way_of
from stages.reward.weights import check_weights, has_own_head, loading_errors

MOST_IMAGES = 16
"""Of one solution. vLLM sets memory aside for them, and refuses a whole list of requests for one that has more."""


class VllmScorer:
    """See `Scorer`. Scores are those of `ProcessRewardModel` up to rounding.

    `requests` and `prefilled` count what vLLM was asked and the tokens that it didn't find in its prefix cache.
    """

    def __init__(
        self, path: str, dtype: str | None = None, one_pass: bool | None = None, like: str | None = None, **args: Any
    ) -> None:
        """`args` go to vLLM as they are; `one_pass` is by default whether the architecture is known for it.

        `like` is for a model that is no reward model (`read_config`).

        Raises:
            UserError: the model can't be loaded, or its config, tokenizer or chat template can't be used.
        """
        from transformers import AutoConfig, AutoProcessor
        from vllm import LLM
        from vllm.platforms import current_platform

        self.name = path
        self.config = read_config(path, like)
        self.requests = self.prefilled = 0
        cpu = current_platform.is_cpu()
        place = located(path)
        check_weights(place, path)
        offer_plugin()
        with loading_errors(path):
            self._reader = Reader(AutoProcessor.from_pretrained(place), self.config)
            model = AutoConfig.from_pretrained(place)
        self._way = way_of(model, path, self._reader, has_own_head(path), one_pass)
        with loading_errors(path), _all_cores() if cpu and isinstance(self._way, OnePass) else nullcontext():
            self._llm: Any = LLM(
                model=place,
                dtype=dtype or ("float32" if cpu else "bfloat16"),
                **{
                    "limit_mm_per_prompt": {"image": MOST_IMAGES},
                    "enable_prefix_caching": True,
                    "disable_log_stats": True,
                    **self._way.args,
                    **(CPU_ARGS if cpu else {}),
                    **args,
                },
            )
        self._longest = self._llm.model_config.max_model_len

    def score_many(self, candidates: Sequence[Candidate]) -> list[list[float] | RowError]:
        """See `Scorer`."""
        found: list[list[float] | RowError] = []
        prepared: list[tuple[int, Rendering, dict[str, Any]]] = []
        for index, candidate in enumerate(candidates):
            try:
                prepared.append((index, *self._prepare(candidate)))
                found.append([])
            except RowError as error:
                found.append(error)
        if prepared:
            logits = self._way.logits(self._llm, [(rendering, images) for _, rendering, images in prepared])
            for (index, *_), (own, requests, tokens) in zip(prepared, logits, strict=True):
                found[index] = self._reader.expectation(own, self._way.heights)
                self.requests += requests
                self.prefilled += tokens
        return found

    def close(self) -> None:
        """Ends the engine's processes."""
        self._llm.llm_engine.engine_core.shutdown(timeout=10)

    def _prepare(self, candidate: Candidate) -> tuple[Rendering, dict[str, Any]]:
        if len(candidate.images) > MOST_IMAGES:
            raise RowError("too_many_images", f"{len(candidate.images)} images, vLLM is given at most {MOST_IMAGES}")
        rendering = self._reader.render(candidate)
        with image_errors():
            images = [PillowImage.open(io.BytesIO(data)).convert("RGB") for data in candidate.images]
        self._check_length(rendering, images)
        if not images:
            return rendering, {}
        names = [Image.of(data).sha256 for data in candidate.images]
        return rendering, {"multi_modal_data": {"image": images}, "multi_modal_uuids": {"image": names}}

    def _check_length(self, rendering: Rendering, images: Sequence[PillowImage.Image]) -> None:
        sizes = [[image.height, image.width] for image in images]
        counted = self._reader.processor._get_num_multimodal_tokens(image_sizes=sizes).num_image_tokens if sizes else []
        tokens = len(rendering.token_ids) + sum(counted) - len(counted)
        if tokens > self._longest:
            raise RowError("too_long", f"{tokens} tokens, the model reads {self._longest}")


@contextmanager
def _all_cores() -> Iterator[None]:
    """vLLM keeps a core for what sends requests, which has little to do where a solution is one of them."""
    name = "VLLM_CPU_NUM_OF_RESERVED_CPU"
    if name in os.environ:
        yield
        return
    os.environ[name] = "0"
    try:
        yield
    finally:
        del os.environ[name]
