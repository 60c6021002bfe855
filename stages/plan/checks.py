"""Everything that can be checked without an engine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.config import RunConfig, ledger_view
from pipeline.engine.policy import check_engine, check_heads
from pipeline.errors import UserError
from stages.annotate.settings_lock import read_templates
from stages.plan.amount import Amount
from stages.plan.cost import Need
from stages.plan.model import Model
from stages.plan.pilot import Pilot
from stages.plan.units import size


@dataclass(frozen=True, slots=True)
class Check:
    """`unknown` where nothing is at hand to check it by."""

    verdict: Literal["ok", "wrong", "unknown"]
    text: str


def checks(config: RunConfig, model: Model, longest_prompt: int, disk: Amount) -> Iterator[Check]:
    """Model, prompts, context, tensor parallelism, places and disk; sources are checked as they are read.

    Args:
        longest_prompt: tokens of the longest prompt that was measured, each image with as many tiles as its source allows.
        disk: bytes that the run will need.
    """
    yield _tried("model", lambda: check_engine(config.engine), config.engine.model)
    yield _tried("prompts", lambda: read_templates(config), "found")
    yield _context(config, longest_prompt)
    yield from _tensor_parallel(config, model)
    yield from (_place(key, uri, disk) for key, uri in (("run_dir", config.run_dir), ("output_dir", config.output_dir)))


def of_thinking(config: RunConfig, thinking: float, pilot: Pilot | None, longest: float) -> Iterator[Check]:
    """Whether long thinking fits into `sampling.max_tokens`; says nothing of a policy that doesn't think.

    Args:
        thinking: tokens on average, where no pilot says it.
        longest: by how much the longest of many responses exceeds their mean.
    """
    if pilot is not None:
        chains = [chain for each in pilot.chains.values() for chain in each]
        thinking = sum(chain.before or (sum(chain.tokens) if chain.after else 0.0) for chain in chains) / len(chains)
    if not thinking:
        return
    most, closed = config.sampling.max_tokens, config.sampling.max_thinking_tokens
    told = f"thinking: {thinking:,.0f} tokens on average, sampling.max_tokens={most:,}"
    if closed is not None:
        yield Check("ok", f"{told}; it is closed after {closed:,}, which leaves {most - closed:,} for the answer")
    elif thinking * longest > most:
        yield Check(
            "wrong",
            f"{told}: long ones are cut; raise it to {thinking * longest:.0f}, or set sampling.max_thinking_tokens",
        )
    else:
        yield Check("ok", told)


def of_cache(chosen: str, strategies: Mapping[str, Need]) -> Iterator[Check]:
    """What a policy without reuse means, and which strategy suits it: the one that computes the fewest tokens."""
    computed = {name: need.prefill.middle + need.generated.middle for name, need in strategies.items()}
    best = min(computed, key=lambda name: computed[name])
    told = "no prefix is reused: every draw computes its whole prompt"
    if best != chosen and computed[chosen]:
        told += f"; rollout.strategy={best} computes {computed[best] / computed[chosen]:.0%} of the tokens of {chosen}"
    yield Check("unknown", told)


_DRAWN_BY = ("engine.kind", "engine.model", "prompt", "sampling.max_tokens", "sampling.temperature", "split.max_steps")
"""Settings on which a pilot's solutions depend."""


def of_pilot(config: RunConfig, pilot: Pilot) -> Iterator[Check]:
    """Whether the pilot's solutions are such as this run will draw."""
    wanted = ledger_view(config)
    held = {key: str(pilot.settings[key]).partition("@")[0] for key in _DRAWN_BY if key in pilot.settings}
    changes = [f"{key} was {value}, is {wanted[key]}" for key, value in held.items() if value != str(wanted[key])]
    if changes:
        yield Check("unknown", f"pilot: {'; '.join(changes)}: its figures may not hold for this run")


def _tried(what: str, action: Callable[[], object], found: str) -> Check:
    try:
        action()
    except UserError as error:
        return Check("wrong", str(error))
    return Check("ok", f"{what}: {found}")


def _context(config: RunConfig, longest_prompt: int) -> Check:
    needed, length = longest_prompt + config.sampling.max_tokens, config.engine.max_model_len
    sum_text = f"{longest_prompt:,} tokens of prompt and images + sampling.max_tokens={config.sampling.max_tokens:,}"
    if needed > length:
        return Check(
            "wrong", f"context: {sum_text} = {needed:,} > engine.max_model_len={length:,}: raise it to {needed}"
        )
    return Check("ok", f"context: {sum_text} = {needed:,} of {length:,}")


def _tensor_parallel(config: RunConfig, model: Model) -> Iterator[Check]:
    size, heads = config.engine.tensor_parallel_size, model.text.get("num_attention_heads")
    if heads is None:
        yield Check("unknown", "tensor parallelism: the model's config is not at hand")
    else:
        try:
            check_heads(size, heads)
        except UserError as error:
            yield Check("wrong", f"tensor parallelism: {error}")
        else:
            yield Check("ok", f"tensor parallelism: {heads} attention heads over {size}")


def _place(key: str, uri: str, disk: Amount) -> Check:
    if "://" in uri:
        return Check("unknown", f"{key}: {uri} is not a local folder")
    folder = Path(uri).absolute()
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return Check("wrong", f"{key}: {folder} can't be written")
    free = shutil.disk_usage(folder).free
    told = f"{key}: {size(free)} free at {folder}, {size(disk.low)} to {size(disk.high)} needed in all"
    return Check("ok" if free > disk.high else "unknown" if free > disk.low else "wrong", told)
