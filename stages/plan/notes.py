"""What a plan rests on, in lines for a person: what was measured, and what is assumed instead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.config import RunConfig
from pipeline.markdown import counted
from stages.plan.assumptions import Assumptions
from stages.plan.model import Model
from stages.plan.pilot import Pilot
from stages.plan.rows import SAMPLE
from stages.plan.source import PlannedSource


def notes_of(
    config: RunConfig,
    assumed: Assumptions,
    model: Model,
    pilot: Pilot | None,
    sources: Sequence[PlannedSource],
    tokens_per_word: float,
    by_peak: bool,
) -> list[str]:
    """A line for each thing that was measured or assumed."""
    measured = sum(len(source.rows.questions) for source in sources)
    notes = [
        f"questions and images: {counted(measured, 'row')} measured, at most {SAMPLE} of a source, evenly spaced; "
        "all rows counted"
    ]
    if pilot:
        notes.append(f"steps, tokens and chances of success: {counted(pilot.problems, 'problem')} of the pilot run")
    else:
        notes += _by_statistics(config, assumed, sources)
    if model.count_tokens is None:
        notes.append(f"tokens: {assumed.tokens_per_word.source}")
    else:
        notes.append(f"tokens: the model's tokenizer, {tokens_per_word:.2f} a word of the questions")
    if by_peak:
        notes.append(f"speed: {assumed.gpus.source}; {assumed.utilisation.source}")
    if model.pixels is not None:
        notes.append(
            f"images: a token is {model.pixels.side} × {model.pixels.side} pixels, as the model's processor says"
        )
    elif model.tiling is None:
        notes.append(f"images: {assumed.image.source}")
    else:
        notes.append(
            f"images: tiles of {model.tiling.tile} pixels, {model.tiling.tokens} tokens each, as the model's config says"
        )
    return notes


def _by_statistics(config: RunConfig, assumed: Assumptions, sources: Sequence[PlannedSource]) -> Iterator[str]:
    """What stands in for a pilot."""
    policies = [assumed.policy_of(config.engine, source.config) for source in sources]
    for policy in dict.fromkeys(each.source for each in policies if each is not None):
        yield f"steps and tokens: {policy}"
    if all(policies) and policies:
        return
    known = sum(source.config.name in assumed.per_source for source in sources)
    chances = assumed.steps.chances
    yield (
        f"steps of a solution and mean mc: {assumed.steps.source}; its own figures for {known} of "
        f"{counted(len(sources), 'source')}"
    )
    yield (
        f"words of a step {assumed.words_per_step.low:g} to {assumed.words_per_step.high:g}: {assumed.words_per_step.source}"
    )
    yield (
        f"sampling.max_tokens cuts few, so a mean solution has at most 1/{assumed.longest.middle:g} of it "
        f"(1/{assumed.longest.high:g} to 1/{assumed.longest.low:g}): {assumed.longest.source}"
    )
    yield (
        f"bytes of the ledger for a token {assumed.bytes_per_token.low:g} to {assumed.bytes_per_token.high:g}: "
        f"{assumed.bytes_per_token.source}"
    )
    yield (
        "draws succeed as a Beta distribution over steps says, fitted to that mean mc, the share of steps without a "
        f"success, {chances.zero_share:.2%}, and of solutions with both labels, {chances.mixed_share:.2%}"
    )
