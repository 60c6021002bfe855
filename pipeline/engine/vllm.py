"""The policy on vLLM: the only file that imports it."""

from __future__ import annotations

import ast
import asyncio
import gc
import importlib.util
import io
import logging
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image as PillowImage

from pipeline.config import EngineConfig, SamplingConfig
from pipeline.engine import Completion, Prompt
from pipeline.engine.chat import ChatText
from pipeline.engine.drawn import check_room, completion, refusal
from pipeline.engine.gauges import Gauges
from pipeline.engine.parent import offer_plugin
from pipeline.engine.pictures import PictureLimit, picture_limit
from pipeline.engine.policy import NO_INVARIANT_MODE
from pipeline.errors import EngineDead, RowError, UserError
from pipeline.inputs import located
from pipeline.terminal.speak import say

CPU_ARGS: dict[str, Any] = {
    # Seeded requests fail under chunked prefill on the CPU, whose generators have no offset.
    "enable_chunked_prefill": False,
    "max_num_batched_tokens": 16384,
    # The server's default on a CPU is half of this; a step costs little more for twice the sequences.
    "max_num_seqs": 256,
    # The CPU's default block of 128 tokens is longer than most prompts: nothing would be found in the prefix cache.
    "block_size": 32,
    # vLLM's own default is a share of all memory, for each engine.
    "kv_cache_memory_bytes": 2 << 30,
    # Compilation costs most of a minute and gains 10 to 20 %.
    "enforce_eager": True,
}


def argument_names() -> frozenset[str]:
    """The keyword arguments of `AsyncEngineArgs`; empty where vLLM is not installed.

    Read from its source: the import takes ten seconds, and the driver has no other use for it.
    """
    spec = importlib.util.find_spec("vllm")
    if spec is None or not spec.submodule_search_locations:
        return frozenset()
    source = Path(spec.submodule_search_locations[0], "engine", "arg_utils.py").read_text(encoding="utf-8")
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    fields = (node for each in classes if each.name in ("EngineArgs", "AsyncEngineArgs") for node in each.body)
    return frozenset(
        node.target.id for node in fields if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    )


SCHEMA_ARGS: Mapping[str, Any] = {
    # As a setting of the engine: in a request it does nothing, and a model that may write blanks writes them until it is cut.
    "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True},
}
"""What `engine.args` must hold where answers are asked for by a schema."""


class VllmEngine:
    """One `AsyncLLM`. See `Engine`."""

    def __init__(self, config: EngineConfig) -> None:
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.platforms import current_platform
        from vllm.v1.engine.async_llm import AsyncLLM

        # These two log a traceback when the engine is gone, even where it only ended first at the end of a job. The engine's
        # own process says what killed it, and we raise `EngineDead`.
        for name, level in (("async_llm", logging.CRITICAL), ("core_client", logging.ERROR)):
            logging.getLogger(f"vllm.v1.engine.{name}").setLevel(level)
        # Here and not by the caller: on another machine the package lies elsewhere.
        model = located(config.model, config.folders)
        self._text = ChatText(model, config.trust_remote_code, config.chat_template)
        self.chat, self.encode, self.ends = self._text.chat, self._text.encode, self._text.ends
        defaults: dict[str, Any] = CPU_ARGS if current_platform.is_cpu() else {}
        if config.batch_invariant:
            if current_platform.is_cpu():
                raise UserError(NO_INVARIANT_MODE)
            # Read when the engine's process starts; it refuses cards and models that lack the mode.
            os.environ["VLLM_BATCH_INVARIANT"] = "1"
        args = {
            "limit_mm_per_prompt": {"image": 16},
            "enable_prefix_caching": True,
            "disable_log_stats": True,
            "scheduling_policy": "priority",
            **defaults,
            **config.args,
        }
        self.gauges = Gauges()
        offer_plugin()
        self._llm = AsyncLLM.from_engine_args(
            AsyncEngineArgs(
                model=model,
                dtype=config.dtype,
                max_model_len=config.max_model_len,
                tensor_parallel_size=config.tensor_parallel_size,
                trust_remote_code=config.trust_remote_code,
                **args,
            ),
            stat_loggers=[_stat_logger(self.gauges)],
        )
        self.gauges.ready()
        self._limit = picture_limit(self._text.processor)
        self._check: asyncio.Task[None] | None = None
        end = self._llm.model_config.try_get_generation_config().get("eos_token_id", [])
        self._stop_ids, self._end_ids = self._text.stops(end if isinstance(end, list) else [end])

    @property
    def opening(self) -> str:
        return self._text.opening

    async def generate(
        self,
        prompt: Prompt,
        sampling: SamplingConfig,
        n: int,
        seed: int,
        max_tokens: int,
        *,
        stop: str | None = None,
    ) -> list[Completion]:
        from vllm.exceptions import VLLMValidationError
        from vllm.sampling_params import RequestOutputKind, SamplingParams, StructuredOutputsParams
        from vllm.v1.engine.exceptions import EngineDeadError

        params = SamplingParams(
            n=n,
            seed=seed,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            max_tokens=max_tokens,
            stop=stop,
            stop_token_ids=list(self._stop_ids),
            include_stop_str_in_output=stop is not None,
            structured_outputs=None if prompt.schema is None else StructuredOutputsParams(json=dict(prompt.schema)),
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        final = None
        self.gauges.begin()
        try:
            await self._checked()
            request = vllm_prompt(prompt, self._limit)
            place = 0 if prompt.ahead else 1
            async for output in self._llm.generate(request, params, request_id=uuid.uuid4().hex, priority=place):
                final = output
        except EngineDeadError as error:
            raise EngineDead(str(error)) from error
        except (VLLMValidationError, ValueError) as error:
            raise refusal(str(error)) from error
        finally:
            self.gauges.end()
        if final is None or len(final.outputs) != n:
            raise RowError("engine_output", f"asked for {n} completions, got {len(final.outputs) if final else 0}")
        outputs = sorted(final.outputs, key=lambda output: output.index)
        check_room(outputs, max_tokens)
        if unknown := {output.finish_reason for output in outputs} - {"stop", "length"}:
            raise EngineDead(f"vLLM ended a request with {unknown}")
        return [completion(output, seed + output.index, self._end_ids) for output in outputs]

    async def _checked(self) -> None:
        """Waits for the one check that the first request starts: before it there is no event loop to run in."""
        if self._check is None:
            self._check = asyncio.create_task(self._check_prefix_cache())
        # One request that is given up must not end the check that the others wait for.
        await asyncio.shield(self._check)

    async def _check_prefix_cache(self) -> None:
        """Asks the same greedy question twice, the second time from the cache, and notes whether the answers agree.

        It also notes whether the cache had anything of it: with hybrid attention it may be on and find nothing.
        A model that refuses the question is not checked.
        """
        from vllm.exceptions import VLLMValidationError
        from vllm.sampling_params import RequestOutputKind, SamplingParams

        cache = self._llm.vllm_config.cache_config
        if not cache.enable_prefix_caching:
            say("this model can't reuse cached prefixes: every draw computes its whole prompt")
            return
        greedy = SamplingParams(temperature=0.0, max_tokens=16, output_kind=RequestOutputKind.FINAL_ONLY)
        prompt = {
            "prompt_token_ids": list(self.encode("What is one and one? " * cache.block_size))[: 3 * cache.block_size]
        }
        answers, found = [], 0
        try:
            for _ in range(2):
                async for output in self._llm.generate(prompt, greedy, request_id=uuid.uuid4().hex):
                    answers.append(tuple(output.outputs[0].token_ids))
                    found = output.num_cached_tokens or 0
        except (VLLMValidationError, ValueError) as error:
            say(f"the prefix cache was not checked: {' '.join(str(error).split())[:200]}")
            return
        self.gauges.prefix_reused = found > 0
        if not self.gauges.prefix_reused:
            say(
                "the prefix cache is on but finds nothing again: every draw computes its whole prompt; `visualprm plan` with "
                "engine.args.enable_prefix_caching=false prices that and names the strategy that suits"
            )
        self.gauges.prefix_exact = answers[0] == answers[1]
        if not self.gauges.prefix_exact:
            say("greedy output differs with a cached prefix: draws may depend on what was drawn before")

    async def close(self) -> None:
        self._llm.shutdown(timeout=10)
        # Its finaliser does that again; at the interpreter's end it would find vLLM's own modules gone, and say so.
        del self._llm
        gc.collect()


def vllm_prompt(prompt: Prompt, limit: PictureLimit) -> dict[str, Any]:
    """The prompt as vLLM takes it; `limit` is what the model limits of pictures.

    Each image goes by its hash, so that vLLM processes it once and finds its cache blocks again.
    """
    request: dict[str, Any] = {"prompt_token_ids": list(prompt.token_ids)}
    if prompt.images:
        request["multi_modal_data"] = {"image": [_open(image.data) for image in prompt.images]}
        request["multi_modal_uuids"] = {"image": [image.sha256 for image in prompt.images]}
        if arguments := limit.arguments(prompt):
            request["mm_processor_kwargs"] = arguments
    return request


def _stat_logger(gauges: Gauges) -> Any:
    """A class that vLLM makes a logger of, which keeps `gauges` up to date after every step."""
    from vllm.v1.metrics.loggers import StatLoggerBase

    class Logger(StatLoggerBase):
        def __init__(self, vllm_config: Any, engine_index: int = 0) -> None:
            pass

        def record(
            self, scheduler_stats: Any, iteration_stats: Any, mm_cache_stats: Any = None, engine_idx: int = 0
        ) -> None:
            if scheduler_stats is not None:
                gauges.kv_cache_use = scheduler_stats.kv_cache_usage
                gauges.prompt_tokens += scheduler_stats.prefix_cache_stats.queries
                gauges.cached_tokens += scheduler_stats.prefix_cache_stats.hits
            if iteration_stats is not None:
                gauges.steps += 1
                gauges.batch_tokens += iteration_stats.num_generation_tokens
                gauges.preemptions += iteration_stats.num_preempted_reqs

        def log_engine_initialized(self) -> None:
            pass

    return Logger


def _open(data: bytes) -> PillowImage.Image:
    return PillowImage.open(io.BytesIO(data)).convert("RGB")
