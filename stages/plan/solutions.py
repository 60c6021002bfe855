"""What a source's solutions are like before there are any: as in a pilot, as its policy is known to write, or as statistics say."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from pipeline.config import RunConfig, SourceConfig
from stages.plan.amount import Amount, mean
from stages.plan.assumptions import Assumptions, Chances
from stages.plan.chains import Chain, concentration, fitted, made_up, sharing
from stages.plan.pilot import Pilot

CHAINS = 2_000
"""Solutions that are simulated for a strategy, over all sources."""
MIN_CHAINS = 50
"""And for each source at least."""


@dataclass(frozen=True, slots=True)
class Solutions:
    """Solutions to simulate draws on, and how far their steps and tokens may be off, as factors."""

    chains: Sequence[Chain]
    of_steps: Amount
    of_tokens: Amount
    draw_length: float = 1.0
    """A draw's tokens, as a multiple of the rest of its solution's."""


def solutions_of(
    source: SourceConfig,
    config: RunConfig,
    assumed: Assumptions,
    pilot: Pilot | None,
    tokens_per_word: float,
    thinking: float = 0.0,
) -> Solutions:
    """What the policy will write to a source, within `sampling.max_tokens` and `split.max_steps`.

    `thinking` are the tokens of a response's thinking on average; a pilot's solutions have their own.
    """
    name = source.name
    count = max(MIN_CHAINS, CHAINS // len(config.sources))
    rng = random.Random(name)
    if pilot:
        return _of_pilot(name, config, pilot, count, rng)
    if (policy := assumed.policy_of(config.engine, source)) is not None:
        steps, tokens, draw_length = policy.steps.amount, policy.step_tokens.amount, policy.draw_length
        chances = policy.chances or assumed.steps.chances
        mean_mc, (spread, shared) = chances.mean_mc, _shape(chances, steps.middle)
    else:
        steps, mean_mc = assumed.steps_of(name)
        spread, shared = _shape(assumed.steps.chances, assumed.steps_of("")[0].middle)
        tokens = _within(max(1.0, config.sampling.max_tokens - thinking), steps, assumed, tokens_per_word)
        draw_length = 1.0
    made = made_up(count, steps.middle, config.split.max_steps, mean_mc, spread, shared, tokens.middle, rng)
    made = [with_thinking(chain, thinking, config.split.part) for chain in made]
    scale = steps.middle / (sum(len(chain.tokens) for chain in made) / count)
    return Solutions(_fitted(made, config), _relative(steps) * scale, _relative(tokens), draw_length)


def _of_pilot(name: str, config: RunConfig, pilot: Pilot, count: int, rng: random.Random) -> Solutions:
    # A source with parts names its problems after these.
    own = [each for key, chains in pilot.chains.items() if key == name or key.startswith(f"{name}/") for each in chains]
    measured = _fitted(own or [each for chains in pilot.chains.values() for each in chains], config)
    lengths = mean([chain.total for chain in measured])
    steps = mean([float(len(chain.tokens)) for chain in measured])
    chosen = rng.sample(measured, count) if len(measured) > count else measured
    return Solutions(chosen, _relative(steps), _relative(lengths), pilot.draw_length)


def with_thinking(chain: Chain, thinking: float, part: Literal["all", "thinking", "answer"]) -> Chain:
    """The solution of a policy that thinks first; which of its steps are labelled goes by `split.part`."""
    if not thinking:
        return chain
    if part == "answer":
        return replace(chain, before=thinking)
    answer = sum(chain.tokens)
    in_steps, after = (thinking, answer) if part == "thinking" else (thinking + answer, 0.0)
    return replace(chain, tokens=tuple(each * in_steps / answer for each in chain.tokens), after=after)


def _within(max_tokens: float, steps: Amount, assumed: Assumptions, tokens_per_word: float) -> Amount:
    """Tokens of a step by the statistics, where the token limit is not too low for such solutions.

    Nobody sets a limit that cuts many: so a mean solution is shorter than it by as much as the longest are longer.
    """
    said, longest = assumed.words_per_step.amount * tokens_per_word, assumed.longest
    room = Amount.exact(max_tokens / steps.middle)
    bound = Amount(room.low / longest.high, room.middle / longest.middle, room.high / longest.low)
    return Amount(min(said.low, bound.low), min(said.middle, bound.middle), min(said.high, bound.high))


def _fitted(chains: Sequence[Chain], config: RunConfig) -> list[Chain]:
    return [fitted(chain, config.sampling.max_tokens, config.split.max_steps) for chain in chains]


def _shape(chances: Chances, per_solution: float) -> tuple[float, float]:
    """How chances of success spread over all steps, and within a solution; see `stages/plan/chains.py`."""
    return _spread(*chances.model_dump().values(), per_solution)


@cache
def _spread(
    mean_mc: float, zero_share: float, mixed_share: float, num_draws: int, per_solution: float
) -> tuple[float, float]:
    spread = concentration(mean_mc, zero_share, num_draws)
    return spread, sharing(mean_mc, spread, num_draws, per_solution, mixed_share)


def _relative(value: Amount) -> Amount:
    if not value.middle:
        return Amount.exact(1.0)  # of nothing, such as steps of an answer that no response comes to
    return Amount(value.low / value.middle, 1.0, value.high / value.middle)
