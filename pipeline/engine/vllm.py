"""The policy on vLLM: the only file that imports it."""

from __future__ import annotations

import io
import re
import uuid
from collections.abc import Sequence
from typing import Any

from PIL import Image as PillowImage

from pipeline.config import EngineConfig, SamplingConfig
from pipeline.engine import Completion, Prompt
from pipeline.engine.chat import ChatText
from pipeline.errors import EngineDead, RowError

CPU_ARGS: dict[str, Any] = {
    # Seeded requests fail under chunked prefill on the CPU, whose generators have no offset.
    "enable_chunked_prefill": False,
    "max_num_batched_tokens": 16384,
    # The CPU's default block of 128 tokens is longer than most prompts: nothing would be found in the prefix cache.
    "block_size": 32,
    # vLLM's own default is a share of all memory, for each engine.
    "kv_cache_memory_bytes": 2 << 30,
    # Compilation costs most of a minute and gains 10 to 20 %.
    "enforce_eager": True,
}


class VllmEngine:
    """One `AsyncLLM`. See `Engine`."""

    def __init__(self, config: EngineConfig) -> None:
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.platforms import current_platform
        from vllm.v1.engine.async_llm import AsyncLLM

        self._text = ChatText(config.model, config.trust_remote_code)
        self.chat, self.encode, self.ends = self._text.chat, self._text.encode, self._text.ends
        defaults: dict[str, Any] = CPU_ARGS if current_platform.is_cpu() else {}
        args = {
            "limit_mm_per_prompt": {"image": 16},
            "enable_prefix_caching": True,
            "disable_log_stats": True,
            **defaults,
            **config.args,
        }
        self._llm = AsyncLLM.from_engine_args(
            AsyncEngineArgs(
                model=config.model,
                dtype=config.dtype,
                max_model_len=config.max_model_len,
                tensor_parallel_size=config.tensor_parallel_size,
                trust_remote_code=config.trust_remote_code,
                **args,
            )
        )
        self._tile_argument = tile_argument(self._text.processor)
        end = self._llm.model_config.try_get_generation_config().get("eos_token_id", [])
        self._end_ids = {self._text.tokenizer.eos_token_id, *(end if isinstance(end, list) else [end])}

    async def generate(
        self, prompt: Prompt, sampling: SamplingConfig, n: int, seed: int, max_tokens: int
    ) -> list[Completion]:
        from vllm.exceptions import VLLMValidationError
        from vllm.sampling_params import RequestOutputKind, SamplingParams
        from vllm.v1.engine.exceptions import EngineDeadError

        params = SamplingParams(
            n=n,
            seed=seed,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            max_tokens=max_tokens,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        final = None
        try:
            async for output in self._llm.generate(self._request(prompt), params, request_id=uuid.uuid4().hex):
                final = output
        except EngineDeadError as error:
            raise EngineDead(str(error)) from error
        except (VLLMValidationError, ValueError) as error:
            text = " ".join(str(error).split())
            reason = "prompt_too_long" if re.search("model length|context length", text) else "prompt_refused"
            raise RowError(reason, text[:300]) from error
        if final is None or len(final.outputs) != n:
            raise RowError("engine_output", f"asked for {n} completions, got {len(final.outputs) if final else 0}")
        outputs = sorted(final.outputs, key=lambda output: output.index)
        if any(output.finish_reason == "length" and len(output.token_ids) < max_tokens for output in outputs):
            # A response that the context cut says nothing about the step that it continues.
            raise RowError("prompt_too_long", f"{max_tokens} tokens of response don't fit into the context")
        if unknown := {output.finish_reason for output in outputs} - {"stop", "length"}:
            raise EngineDead(f"vLLM ended a request with {unknown}")
        return [self._completion(output, seed + output.index) for output in outputs]

    def _request(self, prompt: Prompt) -> Any:
        request: dict[str, Any] = {"prompt_token_ids": list(prompt.token_ids)}
        if prompt.images:
            # The hash names the image, so that vLLM processes it once and finds its cache blocks again.
            request["multi_modal_data"] = {"image": [_open(image.data) for image in prompt.images]}
            request["multi_modal_uuids"] = {"image": [image.sha256 for image in prompt.images]}
            if self._tile_argument:
                request["mm_processor_kwargs"] = {self._tile_argument: prompt.max_tiles}
        return request

    def _completion(self, output: Any, seed: int) -> Completion:
        ids: Sequence[int] = output.token_ids
        stopped = output.finish_reason == "stop"
        if stopped and ids and ids[-1] in self._end_ids:
            ids = ids[:-1]
        return Completion(tuple(ids), output.text, "stop" if stopped else "length", seed)

    async def close(self) -> None:
        self._llm.shutdown(timeout=10)


def tile_argument(processor: Any) -> str | None:
    """The name by which a model's image processor takes the most tiles, or None where it doesn't tile."""
    images = getattr(processor, "image_processor", None)
    return "max_patches" if getattr(images, "crop_to_patches", False) else None


def _open(data: bytes) -> PillowImage.Image:
    return PillowImage.open(io.BytesIO(data)).convert("RGB")
