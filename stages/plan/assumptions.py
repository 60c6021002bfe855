"""What can't be derived, from `stages/plan/assumptions.yaml`."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from pipeline.config import EngineConfig, SourceConfig
from pipeline.settings import Strict
from stages.plan.amount import Amount


class Value(Strict):
    """A number and where it comes from."""

    source: str
    value: float


class Span(Strict):
    """A number with its range."""

    low: float
    middle: float
    high: float

    @property
    def amount(self) -> Amount:
        return Amount(self.low, self.middle, self.high)


class Range(Span):
    """As `Value`, with a range."""

    source: str


class Chances(Strict):
    """How likely draws are to succeed: statistics of all steps of a corpus, labelled with `num_draws` draws."""

    mean_mc: float
    zero_share: float
    mixed_share: float
    num_draws: int


class Steps(Strict):
    """Those of a corpus."""

    source: str
    chances: Chances


class Images(Strict):
    """A model's tiles."""

    source: str
    tile: int
    tokens_per_tile: int


class Gpus(Strict):
    """Peak rates in TFLOP/s."""

    source: str
    tflops: dict[str, float]


class Policy(Strict):
    """What a policy is known to write."""

    source: str
    function: str | None = None
    """The only source that this holds for, by its `function`; null: any."""
    steps: Span
    """Of a solution."""
    step_tokens: Span
    chances: Chances | None = None
    """Null: as those of the corpus."""
    draw_length: float = 1.0
    """A draw's tokens, as a multiple of the rest of its solution's."""


class Assumptions(Strict):
    """The file."""

    steps: Steps
    words_per_step: Range
    longest: Range
    policies: dict[str, Policy]
    """By `engine.model`, or by `engine.kind` where that has no model."""
    tokens_per_word: Value
    characters_per_token: Value
    image: Images
    bytes_per_token: Range
    gpus: Gpus
    utilisation: Range
    per_source: dict[str, tuple[float, int, int]]
    """Mean mc, steps, rollouts."""

    def policy_of(self, engine: EngineConfig, source: SourceConfig) -> Policy | None:
        """What is known of the policy on this source."""
        policy = self.policies.get(engine.model if engine.kind in ("vllm", "server") else engine.kind)
        return policy if policy is not None and policy.function in (None, source.function) else None

    def steps_of(self, source: str) -> tuple[Amount, float]:
        """Steps a solution and mean mc of a source; over all, with the range of nine sources in ten, if it isn't known."""
        if source in self.per_source:
            mean_mc, steps, rollouts = self.per_source[source]
            return Amount.exact(steps / rollouts), mean_mc
        each = sorted(steps / rollouts for _, steps, rollouts in self.per_source.values())
        total = sum(steps for _, steps, _ in self.per_source.values())
        middle = total / sum(rollouts for _, _, rollouts in self.per_source.values())
        return Amount(each[len(each) // 20], middle, each[-1 - len(each) // 20]), self.steps.chances.mean_mc


@cache
def load_assumptions() -> Assumptions:
    text = files("stages.plan").joinpath("assumptions.yaml").read_text(encoding="utf-8")
    data: Any = yaml.safe_load(text)
    return Assumptions.model_validate(data)
