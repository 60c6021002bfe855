"""Puts a plan together: rows and a pilot, or statistics, through the strategies' own functions, to what they cost."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from math import inf
from operator import add

from pipeline.config import RolloutConfig, RunConfig
from pipeline.errors import StartError, UserError
from stages.annotate.settings_lock import read_templates
from stages.load.paths import locate
from stages.plan.amount import Amount
from stages.plan.assumptions import Assumptions, load_assumptions
from stages.plan.chains import Ask, Chooser, spend
from stages.plan.checks import Check, checks, of_cache, of_pilot, of_thinking
from stages.plan.cost import NOTHING, Need, hours_at_rate, hours_by_compute, need, per_solution
from stages.plan.model import Model, read_model, reuses_prefixes
from stages.plan.nodes import PlannedNode, planned_nodes
from stages.plan.notes import notes_of
from stages.plan.pilot import Pilot, read_pilot
from stages.plan.rows import Rows, read_rows
from stages.plan.source import PlannedSource, planned
from stages.rollout.strategies import STRATEGIES, Progress, View


@dataclass(frozen=True)
class Plan:
    """What a run needs. Hours are null where the speed isn't known, costs where the price isn't."""

    sources: dict[str, Need]
    strategies: dict[str, Need]
    strategy: str
    hours: dict[str, Amount | None]
    """Engine-hours by strategy."""
    reuses: bool
    """Whether the engine finds prefixes again in its cache."""
    gpus_per_engine: int
    replicas: int
    gpu_hour_price: float | None
    currency: str
    """Of that price, as it was given: `$`, `EUR`; may be empty."""
    rate: str
    """Where the hours come from."""
    checks: list[Check]
    nodes: list[PlannedNode]
    """Of the cluster that `ray.address` names."""
    notes: list[str] = field(default_factory=list)
    """Assumptions and sample sizes."""

    @property
    def total(self) -> Need:
        return reduce(add, self.sources.values(), NOTHING)


def make_plan(
    config: RunConfig,
    gpu: str | None = None,
    tokens_per_second: float | None = None,
    gpu_hour_price: float | None = None,
    pilot_run: str | None = None,
    currency: str = "",
    thinking_tokens: float | None = None,
) -> Plan:
    """Reads the sources, simulates the strategies and makes all checks.

    `thinking_tokens` are those of a response's thinking on average, where no pilot says it.

    Raises:
        UserError: an unknown GPU, a pilot without solutions, or a pilot beside `thinking_tokens`.
    """
    if pilot_run and thinking_tokens is not None:
        raise UserError("--thinking-tokens: the pilot run says how long the policy thinks: leave one of them out")
    thinking = min(thinking_tokens or 0.0, float(config.sampling.max_thinking_tokens or inf))
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
        planned(source, found[source.name], config, model, assumed, pilot, templates, tokens_per_word, thinking)
        for source in config.sources
        if source.name in found and found[source.name].usable
    ]
    bytes_per_token = assumed.bytes_per_token.amount
    if pilot:
        bytes_per_token = Amount.exact(pilot.bytes / pilot.tokens)
    reuses = reuses_prefixes(config.engine, model)
    needs = {
        strategy: {each.config.name: _need(each, strategy, config, bytes_per_token, reuses) for each in read}
        for strategy in STRATEGIES
    }
    chosen = config.rollout.strategy
    strategies = {name: reduce(add, each.values(), NOTHING) for name, each in needs.items()}
    rate, hours = _hours(strategies, config, model, assumed, pilot, gpu, tokens_per_second)
    nodes, of_nodes = planned_nodes(config)
    longest = max((each.longest_prompt for each in read), default=0)
    return Plan(
        needs[chosen],
        strategies,
        chosen,
        hours,
        reuses,
        config.engine.tensor_parallel_size,
        config.engine.bounds[0],
        gpu_hour_price,
        currency,
        rate,
        [
            *problems_found,
            *checks(config, model, longest, strategies[chosen].disk),
            *of_thinking(config, thinking, pilot, assumed.longest.low),
            *([] if reuses else of_cache(chosen, strategies)),
            *(of_pilot(config, pilot) if pilot else ()),
            *of_nodes,
        ],
        nodes,
        notes_of(
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


def _need(source: PlannedSource, strategy: str, config: RunConfig, bytes_per_token: Amount, reuses: bool) -> Need:
    rollout = config.rollout.model_copy(update={"strategy": strategy})
    own_answer = rollout.complete_prefix == "own_answer"
    rng = random.Random(source.config.name)
    made = source.solutions
    spent = [
        spend(chain, _chooser(strategy, rollout, index), own_answer, rng, made.draw_length)
        for index, chain in enumerate(made.chains)
    ]
    lengths = [len(chain.tokens) for chain in made.chains]
    own = [chain.total for chain in made.chains]
    solution = per_solution(spent, lengths, own, made.of_steps, made.of_tokens)
    return need(source.rows.usable, config.sampling.num_solutions, source.problem, solution, bytes_per_token, reuses)


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
