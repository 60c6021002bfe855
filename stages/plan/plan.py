"""Puts a plan together: rows and a pilot, or statistics, through the strategies' own functions, to what they cost."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add

from pipeline.config import RolloutConfig, RunConfig, SourceConfig
from pipeline.errors import StartError, UserError
from stages.annotate.settings_lock import read_templates
from stages.load.paths import locate
from stages.plan.amount import Amount, mean
from stages.plan.assumptions import Assumptions, load_assumptions
from stages.plan.chains import Ask, Chooser, spend
from stages.plan.checks import Check, checks, of_pilot
from stages.plan.cost import (
    NOTHING,
    Need,
    PerProblem,
    hours_at_rate,
    hours_by_compute,
    need,
    per_solution,
)
from stages.plan.model import Model, read_model
from stages.plan.pilot import Pilot, read_pilot
from stages.plan.rows import SAMPLE, Rows, read_rows
from stages.plan.solutions import Solutions, solutions_of
from stages.plan.tiles import Tiling, count_tiles
from stages.rollout.strategies import STRATEGIES, Progress, View


@dataclass(frozen=True)
class Plan:
    """What a run needs. Hours are null where the speed isn't known, costs where the price isn't."""

    sources: dict[str, Need]
    strategies: dict[str, Need]
    strategy: str
    hours: dict[str, Amount | None]
    """Engine-hours by strategy."""
    gpus_per_engine: int
    replicas: int
    gpu_hour_price: float | None
    currency: str
    """Of that price, as it was given: `$`, `EUR`; may be empty."""
    rate: str
    """Where the hours come from."""
    checks: list[Check]
    notes: list[str] = field(default_factory=list)
    """Assumptions and sample sizes."""

    @property
    def total(self) -> Need:
        return reduce(add, self.sources.values(), NOTHING)


@dataclass(frozen=True)
class _Source:
    """A source's rows, and what its solutions are like."""

    config: SourceConfig
    rows: Rows
    problem: PerProblem
    longest_prompt: int
    solutions: Solutions


def make_plan(
    config: RunConfig,
    gpu: str | None = None,
    tokens_per_second: float | None = None,
    gpu_hour_price: float | None = None,
    pilot_run: str | None = None,
    currency: str = "",
) -> Plan:
    """Reads the sources, simulates the strategies and makes all checks.

    Raises:
        UserError: an unknown GPU, a pilot without solutions.
    """
    assumed, model = load_assumptions(), read_model(config.engine)
    if gpu is not None and gpu not in assumed.gpus.tflops:
        raise UserError(
            f"--gpu: {gpu!r} is not known; use one of {', '.join(assumed.gpus.tflops)}; or --tokens-per-second"
        )
    pilot = read_pilot(pilot_run) if pilot_run else None
    found, problems_found = _read_sources(config)
    templates = _templates(config)
    tokens_per_word = _tokens_per_word(model, found.values(), assumed)
    read = [
        _source(source, found[source.name], config, model, assumed, pilot, templates, tokens_per_word)
        for source in config.sources
        if source.name in found and found[source.name].usable
    ]
    bytes_per_token = assumed.bytes_per_token.amount
    if pilot:
        bytes_per_token = Amount.exact(pilot.bytes / pilot.tokens)
    needs = {
        strategy: {each.config.name: _need(each, strategy, config, bytes_per_token) for each in read}
        for strategy in STRATEGIES
    }
    chosen = config.rollout.strategy
    strategies = {name: reduce(add, each.values(), NOTHING) for name, each in needs.items()}
    rate, hours = _hours(strategies, config, model, assumed, pilot, gpu, tokens_per_second)
    longest = max((each.longest_prompt for each in read), default=0)
    return Plan(
        needs[chosen],
        strategies,
        chosen,
        hours,
        config.engine.tensor_parallel_size,
        config.engine.replicas,
        gpu_hour_price,
        currency,
        rate,
        [
            *problems_found,
            *checks(config, model, longest, strategies[chosen].disk),
            *(of_pilot(config, pilot) if pilot else ()),
        ],
        _notes(
            config, assumed, model, pilot, read, tokens_per_word, by_peak=gpu is not None and tokens_per_second is None
        ),
    )


def _read_sources(config: RunConfig) -> tuple[dict[str, Rows], list[Check]]:
    """The rows of every source that can be read, and what is wrong with sources."""
    found: dict[str, Rows] = {}
    told: list[Check] = []
    for source in config.sources:
        try:
            (located,) = locate([source], config.data_root)
            rows = found[source.name] = read_rows(located, demand_options=config.verify.compat is None)
        except (UserError, StartError) as error:
            # A wrong data_root is the same mistake for every source.
            if (check := Check("wrong", str(error))) not in told:
                told.append(check)
            continue
        measured = len(rows.questions) + rows.bad.total()
        if rows.bad:
            reasons = ", ".join(f"{count} {reason}" for reason, count in rows.bad.most_common())
            text = f"source {source.name!r}: of {measured} measured rows {reasons}"
            told.append(Check("unknown" if rows.questions else "wrong", text))
        elif not measured:
            told.append(Check("wrong", f"source {source.name!r}: no row"))
    if len(found) == len(config.sources) and not told:
        told.append(Check("ok", f"sources: {len(found)} opened, the measured rows and their images too"))
    return found, told


def _templates(config: RunConfig) -> dict[str, str]:
    """The prompts' texts; what is wrong with them is told among the checks."""
    try:
        return read_templates(config)
    except UserError:
        return {}


def _tokens_per_word(model: Model, rows: Iterable[Rows], assumed: Assumptions) -> float:
    """Of the questions by the model's tokenizer, if it is at hand."""
    questions = [question for each in rows for question in each.questions]
    words = sum(len(question.split()) for question in questions)
    if model.count_tokens is None or not words:
        return assumed.tokens_per_word.value
    return sum(map(model.count_tokens, questions)) / words


def _source(
    source: SourceConfig,
    rows: Rows,
    config: RunConfig,
    model: Model,
    assumed: Assumptions,
    pilot: Pilot | None,
    templates: Mapping[str, str],
    tokens_per_word: float,
) -> _Source:
    tiling = model.tiling or Tiling(assumed.image.tile, assumed.image.tokens_per_tile)
    template = templates.get(source.prompt or config.prompt, "")

    def text_tokens(text: str) -> float:
        return model.count_tokens(text) if model.count_tokens else len(text) / assumed.characters_per_token.value

    texts = [text_tokens(template.replace("{question}", question)) for question in rows.questions]
    at_most = source.max_tiles if model.tiles else 1
    tiles = [
        sum(count_tiles(width, height, at_most, tiling.tile) for width, height, _ in images) for images in rows.images
    ]
    most_tiles = max(map(len, rows.images)) * (at_most + (at_most > 1))
    problem = PerProblem(
        mean([float(len(images)) for images in rows.images]),
        mean([float(sum(size for _, _, size in images)) for images in rows.images]),
        mean([text + tiling.tokens * count for text, count in zip(texts, tiles, strict=True)]),
    )
    longest = round(max(texts)) + tiling.tokens * most_tiles
    return _Source(source, rows, problem, longest, solutions_of(source, config, assumed, pilot, tokens_per_word))


def _need(source: _Source, strategy: str, config: RunConfig, bytes_per_token: Amount) -> Need:
    rollout = config.rollout.model_copy(update={"strategy": strategy})
    own_answer = rollout.complete_prefix == "own_answer"
    rng = random.Random(source.config.name)
    made = source.solutions
    spent = [
        spend(chain, _chooser(strategy, rollout, index), own_answer, rng, made.draw_length)
        for index, chain in enumerate(made.chains)
    ]
    lengths = [len(chain.tokens) for chain in made.chains]
    own = [sum(chain.tokens) for chain in made.chains]
    solution = per_solution(spent, lengths, own, made.of_steps, made.of_tokens)
    return need(source.rows.usable, config.sampling.num_solutions, source.problem, solution, bytes_per_token)


def _chooser(strategy: str, rollout: RolloutConfig, index: int) -> Chooser:
    """The strategy itself, asked as the rollout loop asks it."""

    def choose(prefixes: Sequence[tuple[int, int]], correct: bool) -> list[Ask]:
        progress = [Progress(drawn, successes) for drawn, successes in prefixes]
        view = View(f"{strategy}/{index}", correct, progress)
        return [(ask.step, ask.n) for ask in STRATEGIES[strategy].asks(view, rollout)]

    return choose


def _hours(
    needs: Mapping[str, Need],
    config: RunConfig,
    model: Model,
    assumed: Assumptions,
    pilot: Pilot | None,
    gpu: str | None,
    tokens_per_second: float | None,
) -> tuple[str, dict[str, Amount | None]]:
    """Engine-hours by strategy, and where they come from: a rate given, a GPU's peak, or the pilot's rate."""
    size = config.engine.tensor_parallel_size
    if tokens_per_second is None and gpu is not None:
        if model.parameters is None:
            return f"unknown: neither the config nor the name of {config.engine.model} says its size", dict.fromkeys(
                needs
            )
        flops = assumed.utilisation.amount * (assumed.gpus.tflops[gpu] * 1e12 * size)
        told = (
            f"{model.parameters / 1e9:.2g} billion parameters ({model.parameters_from}) on {size} × {gpu} at "
            f"{assumed.utilisation.low:.0%} to {assumed.utilisation.high:.0%} of {assumed.gpus.tflops[gpu]:g} TFLOP/s"
        )
        return told, {name: hours_by_compute(each, model.parameters, flops) for name, each in needs.items()}
    rate = tokens_per_second or (pilot.tokens_per_second if pilot else None)
    if rate is None:
        return "unknown: give --tokens-per-second, --gpu or --pilot", dict.fromkeys(needs)
    origin = "as given" if tokens_per_second else "measured in the pilot run, on its machine"
    told = f"{rate:,.0f} generated tokens/s of an engine, {origin}"
    return told, {name: hours_at_rate(each, Amount.exact(rate)) for name, each in needs.items()}


def _notes(
    config: RunConfig,
    assumed: Assumptions,
    model: Model,
    pilot: Pilot | None,
    sources: Sequence[_Source],
    tokens_per_word: float,
    by_peak: bool,
) -> list[str]:
    measured = sum(len(source.rows.questions) for source in sources)
    notes = [
        f"questions and images: {measured:,} row{'s' * (measured != 1)} measured, at most {SAMPLE} of a source, evenly spaced; "
        "all rows counted"
    ]
    if pilot:
        problems = f"{pilot.problems:,} problem{'s' * (pilot.problems != 1)}"
        notes.append(f"steps, tokens and chances of success: {problems} of the pilot run")
    else:
        notes += _by_statistics(config, assumed, sources)
    if model.count_tokens is None:
        notes.append(f"tokens: {assumed.tokens_per_word.source}")
    else:
        notes.append(f"tokens: the model's tokenizer, {tokens_per_word:.2f} a word of the questions")
    if by_peak:
        notes.append(f"speed: {assumed.gpus.source}; {assumed.utilisation.source}")
    if model.tiling is None:
        notes.append(f"images: {assumed.image.source}")
    else:
        notes.append(
            f"images: tiles of {model.tiling.tile} pixels, {model.tiling.tokens} tokens each, as the model's config says"
        )
    return notes


def _by_statistics(config: RunConfig, assumed: Assumptions, sources: Sequence[_Source]) -> Iterator[str]:
    """What stands in for a pilot."""
    policies = [assumed.policy_of(config.engine, source.config) for source in sources]
    for policy in dict.fromkeys(each.source for each in policies if each is not None):
        yield f"steps and tokens: {policy}"
    if all(policies) and policies:
        return
    known = sum(source.config.name in assumed.per_source for source in sources)
    chances = assumed.steps.chances
    yield (
        f"steps of a solution and mean mc: {assumed.steps.source}; its own figures for {known} of {len(sources)} "
        f"source{'s' * (len(sources) != 1)}"
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
