"""Do transformers and vLLM give a reward model the same scores, and how fast is each? What does one request a step cost?

    python -m benchmarks scorer problems=64

Real solutions of the demo's problems, right and wrong ones, scored in float32 by the demo policy as an untrained
critic, or by another `model`; and as many with `long` steps each.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path

from benchmarks.shape import Benchmark, Figure
from demo.benchmark import FAMILIES, problem
from demo.reasoning import STEP_SEPARATOR, write
from pipeline.settings import Strict
from stages.reward.model import Candidate, ProcessRewardModel, Scorer

POLICY = str(Path(__file__).parents[1] / "demo/policy")
WARM_UP = 8
"""Solutions that are scored before the clock starts."""


class Settings(Strict):
    """What is measured."""

    problems: int = 64
    """Drawn problems."""
    solutions: int = 4
    """Solutions of a problem, at most."""
    model: str = "demo/policy"
    """The reward model."""
    long: int = 24
    """Steps of a long solution."""


def measure(settings: Settings) -> dict[str, float]:
    from stages.reward.vllm import VllmScorer

    items = solutions(settings.problems, settings.solutions)
    longer = [replace(item, steps=tuple(islice(cycle(item.steps), settings.long))) for item in items]
    plain, plain_rate = timed(ProcessRewardModel.from_pretrained(settings.model, dtype="float32"), items)
    found: dict[str, float] = {"transformers_per_s": plain_rate, "scored": len(plain), "steps": sum(map(len, plain))}
    scores: dict[str, list[list[float]]] = {}
    for way, one_pass in (("at_once", True), ("step_by_step", False)):
        with closing(VllmScorer(settings.model, dtype="float32", one_pass=one_pass)) as scorer:
            scores[way], found[f"{way}_per_s"] = timed(scorer, items)
            found[f"{way}_requests"], found[f"{way}_tokens"] = scorer.requests, scorer.prefilled
            _, found[f"{way}_long_per_s"] = timed(scorer, longer)
    return {
        **found,
        "largest_difference": difference(plain, scores["at_once"]),
        "between_ways": difference(scores["step_by_step"], scores["at_once"]),
    }


def solutions(problems: int, each: int) -> list[Candidate]:
    """Solutions of drawn problems of every family, the right one first."""
    names = list(FAMILIES)
    drawn = [problem(f"{names[index % len(names)]}-{index}") for index in range(problems)]
    return [
        Candidate(found.question, (found.image(),), tuple(write(found.plan, path.beliefs).split(STEP_SEPARATOR)))
        for found in drawn
        for path in found.paths[:each]
    ]


def timed(scorer: Scorer, items: list[Candidate]) -> tuple[list[list[float]], float]:
    """Scores, and solutions/s after a warm-up."""
    scorer.score_many(items[-WARM_UP:])
    start = time.perf_counter()
    found = [own for own in scorer.score_many(items[:-WARM_UP]) if isinstance(own, list)]
    seconds = time.perf_counter() - start
    assert len(found) == len(items) - WARM_UP
    return found, len(found) / seconds


def difference(first: list[list[float]], second: list[list[float]]) -> float:
    return max(abs(a - b) for own, other in zip(first, second, strict=True) for a, b in zip(own, other, strict=True))


BENCHMARK = Benchmark(
    on="{scored:.0f} solutions of {problems} drawn problems, {steps:,.0f} steps, {model} in float32",
    figures=(
        Figure("largest difference between scores of vLLM and transformers", "largest_difference", at_most=2e-3),
        Figure("… and of one request a solution and one a step", "between_ways", at_most=2e-3),
        Figure("scored on vLLM against transformers", "at_once_per_s", "transformers_per_s", "solutions/s"),
        Figure("… against one request a step", "at_once_per_s", "step_by_step_per_s", "solutions/s", at_least=1.3),
        Figure(
            "… solutions of many steps", "at_once_long_per_s", "step_by_step_long_per_s", "solutions/s", at_least=1.8
        ),
        Figure("… requests", "at_once_requests", "step_by_step_requests", "requests"),
        Figure("… tokens that are read", "at_once_tokens", "step_by_step_tokens", "tokens"),
    ),
    settings=Settings,
    measure=measure,
)
