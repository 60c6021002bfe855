"""A reward model on vLLM, which only reads: a request for each slot, for one token's worth of logits.

Asking for the logprobs of given ids at the next token is exact where `prompt_logprobs=k` may leave a label out; the
requests of one solution share their prefix, so the cache makes them cost about one pass.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import islice
from typing import Any

from PIL import Image as PillowImage

from pipeline.engine.parent import offer_plugin
from pipeline.engine.vllm import CPU_ARGS
from pipeline.errors import RowError
from pipeline.inputs import located
from pipeline.records import Image
from stages.reward.model import Candidate, Reader, image_errors, read_config
from stages.reward.render import Rendering
from stages.reward.weights import check_weights, loading_errors

MOST_IMAGES = 16
"""Of one solution. vLLM sets memory aside for them, and refuses a whole list of requests for one that has more."""


class VllmScorer:
    """See `Scorer`. Scores are those of `ProcessRewardModel` up to rounding."""

    def __init__(self, path: str, dtype: str | None = None, **args: Any) -> None:
        """`args` go to vLLM as they are.

        Raises:
            UserError: the model can't be loaded, or its config, tokenizer or chat template can't be used.
        """
        from transformers import AutoProcessor
        from vllm import LLM
        from vllm.platforms import current_platform

        self.name = path
        self.config = read_config(path)
        cpu = current_platform.is_cpu()
        place = located(path)
        check_weights(place, path)
        offer_plugin()
        with loading_errors(path):
            self._reader = Reader(AutoProcessor.from_pretrained(place), self.config)
            self._llm: Any = LLM(
                model=place,
                dtype=dtype or ("float32" if cpu else "bfloat16"),
                **{
                    "limit_mm_per_prompt": {"image": MOST_IMAGES},
                    "enable_prefix_caching": True,
                    "disable_log_stats": True,
                    **(CPU_ARGS if cpu else {}),
                    **args,
                },
            )
        self._longest = self._llm.model_config.max_model_len

    def score_many(self, candidates: Sequence[Candidate]) -> list[list[float] | RowError]:
        """See `Scorer`."""
        from vllm.sampling_params import SamplingParams

        prepared = [self._requests(candidate) for candidate in candidates]
        requests = [request for each in prepared if not isinstance(each, RowError) for request in each]
        params = SamplingParams(max_tokens=1, temperature=0, logprob_token_ids=list(self._reader.label_ids))
        outputs = iter(self._llm.generate(requests, params, use_tqdm=False) if requests else ())
        return [each if isinstance(each, RowError) else self._read(islice(outputs, len(each))) for each in prepared]

    def close(self) -> None:
        """Ends the engine's processes."""
        self._llm.llm_engine.engine_core.shutdown(timeout=10)

    def _requests(self, candidate: Candidate) -> list[dict[str, Any]] | RowError:
        try:
            if len(candidate.images) > MOST_IMAGES:
                raise RowError(
                    "too_many_images", f"{len(candidate.images)} images, vLLM is given at most {MOST_IMAGES}"
                )
            rendering = self._reader.render(candidate)
            with image_errors():
                images = [PillowImage.open(io.BytesIO(data)).convert("RGB") for data in candidate.images]
            self._check_length(rendering, images)
        except RowError as error:
            return error
        shared: dict[str, Any] = {}
        if images:
            shared["multi_modal_data"] = {"image": images}
            shared["multi_modal_uuids"] = {"image": [Image.of(data).sha256 for data in candidate.images]}
        return [{"prompt_token_ids": list(rendering.token_ids[:slot]), **shared} for slot in rendering.slots]

    def _check_length(self, rendering: Rendering, images: Sequence[PillowImage.Image]) -> None:
        sizes = [[image.height, image.width] for image in images]
        counted = self._reader.processor._get_num_multimodal_tokens(image_sizes=sizes).num_image_tokens if sizes else []
        tokens = len(rendering.token_ids) + sum(counted) - len(counted)
        if tokens > self._longest:
            raise RowError("too_long", f"{tokens} tokens, the model reads {self._longest}")

    def _read(self, outputs: Any) -> list[float] | RowError:
        import torch

        found = [output.outputs[0].logprobs[0] for output in outputs]
        # Logprobs differ from logits by a constant, which the softmax over the labels takes out.
        return self._reader.expectation(
            torch.tensor([[own[label].logprob for label in self._reader.label_ids] for own in found])
        )
