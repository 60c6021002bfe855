"""Solutions as a strategy meets them, made up from statistics, and what a strategy spends on them.

Without a pilot run, the chance that a draw succeeds is Beta-distributed over steps, with the mean of the source and the
concentration at which the share of steps without a success is the corpus's. A share of a solution's steps has one chance
in common, as large as makes the share of solutions with both labels the corpus's. Within a solution the chances are put in
descending order, for a success after a step is one after every step before it; the solution itself is right with the
chance of its last step.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

SAMPLES = 4_000
"""Solutions over which `sharing` averages."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A solution: for every step the chance that a draw after it succeeds, and the step's tokens.

    `before` and `after` are tokens of the part that `split.part` leaves out: thinking before the answer's steps, or the
    answer after those of the thinking. Nothing is drawn from its end, but prefixes and draws hold it.
    """

    chances: tuple[float, ...]
    tokens: tuple[float, ...]
    correct: bool
    before: float = 0.0
    after: float = 0.0

    @property
    def total(self) -> float:
        """Tokens of the whole response."""
        return self.before + sum(self.tokens) + self.after


@dataclass(frozen=True, slots=True)
class Spent:
    """What one solution costs, its own sampling included: draws, generated tokens, and tokens of all draws' prefixes."""

    draws: int
    generated: float
    prefixes: float


Ask = tuple[int, int]
"""(step, number of draws)"""
Chooser = Callable[[Sequence[tuple[int, int]], bool], Sequence[Ask]]
"""(drawn, correct) of every prefix that may be drawn from and the solution's verdict → what to draw next."""


def concentration(mean: float, zero_share: float, num_draws: int) -> float:
    """s of Beta(s·mean, s·(1 − mean)), at which `zero_share` of all steps have no success in `num_draws` draws."""
    low, high = 1e-6, 1e6
    for _ in range(200):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if _no_success(mean, middle, num_draws) > zero_share else (low, middle)
    return low


def _no_success(mean: float, size: float, num_draws: int) -> float:
    share = 1.0
    for draw in range(num_draws):
        share *= (size * (1 - mean) + draw) / (size + draw)
    return share


def sharing(mean: float, size: float, num_draws: int, mean_steps: float, mixed_share: float) -> float:
    """The share of steps with their solution's common chance, at which `mixed_share` of all solutions have both labels."""
    rng = random.Random(0)
    fails = [(1 - rng.betavariate(size * mean, size * (1 - mean))) ** num_draws for _ in range(SAMPLES)]
    average = sum(fails) / SAMPLES

    def mixed(share: float) -> float:
        zero = [share * fail + (1 - share) * average for fail in fails]
        return 1 - sum(each**mean_steps + (1 - each) ** mean_steps for each in zero) / SAMPLES

    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if mixed(middle) > mixed_share else (low, middle)
    return low


def made_up(
    count: int,
    mean_steps: float,
    max_steps: int,
    mean_mc: float,
    size: float,
    shared: float,
    step_tokens: float,
    rng: random.Random,
) -> list[Chain]:
    """`count` solutions of 1 + Poisson(mean_steps − 1) steps, at most `max_steps`.

    Args:
        size: see `concentration`.
        shared: see `sharing`.
    """

    def chance() -> float:
        return rng.betavariate(size * mean_mc, size * (1 - mean_mc))

    chains = []
    for _ in range(count):
        steps = min(max_steps, 1 + _poisson(max(0.0, mean_steps - 1), rng))
        common = chance()
        chances = sorted((common if rng.random() < shared else chance() for _ in range(steps)), reverse=True)
        chains.append(Chain(tuple(chances), (step_tokens,) * steps, rng.random() < chances[-1]))
    return chains


def _poisson(mean: float, rng: random.Random) -> int:
    count, left = 0, rng.expovariate(1.0)
    while left < mean:
        count += 1
        left += rng.expovariate(1.0)
    return count


def fitted(chain: Chain, max_tokens: int, max_steps: int) -> Chain:
    """The solution under a run's limits: steps merged as `stages/split.py` does, then cut where the tokens end."""
    size = -(-len(chain.tokens) // max_steps)
    tokens, chances, left = [], [], max_tokens - chain.before
    for start in range(0, len(chain.tokens), size):
        if left <= 0:
            break
        step = sum(chain.tokens[start : start + size])
        tokens.append(min(step, left))
        chances.append(chain.chances[min(start + size, len(chain.chances)) - 1])
        left -= step
    after, fits = min(chain.after, max(0.0, left)), chain.total <= max_tokens
    return Chain(tuple(chances), tuple(tokens), chain.correct and fits, min(chain.before, float(max_tokens)), after)


def spend(chain: Chain, choose: Chooser, own_answer: bool, rng: random.Random, draw_length: float = 1.0) -> Spent:
    """Carries a strategy out on one solution.

    Args:
        own_answer: the complete solution is not drawn from.
        draw_length: tokens of a draw, as a multiple of the rest of the solution; the rest is at least one token.
    """
    total = chain.total
    # After the last step of a thinking comes an answer, which may be drawn again.
    chances = chain.chances[:-1] if own_answer and not chain.after else chain.chances
    drawn, correct = [0] * len(chances), [0] * len(chances)
    while asks := choose(list(zip(drawn, correct, strict=True)), chain.correct):
        for step, number in asks:
            drawn[step] += number
            correct[step] += sum(rng.random() < chances[step] for _ in range(number))
    done, generated, prefixes = chain.before, total, 0.0
    for number, tokens in zip(drawn, chain.tokens, strict=False):
        done += tokens
        generated += number * max(1.0, total - done) * draw_length
        prefixes += number * done
    return Spent(sum(drawn), generated, prefixes)
