"""Label: stored verdicts become counts, scores and hard labels. Pure, cheap and repeatable.

The expected accuracy of step i is mc_i = k / n: of the n continuations of the solution's first i steps,
k reach the right answer. The hard label is `+` if mc_i is above the threshold (arXiv 2503.10291,
section 3.1; threshold 0). What counts as a miss and what as missing is decided here alone, never when
a continuation is drawn, so every choice can be changed without a GPU.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pipeline.config import LabelConfig
from pipeline.errors import UserError
from pipeline.records import Solution, Step, StepOrigin, VerdictStatus

Label = Literal["+", "-"]
Missing = Literal["miss", "drop"]

FINISHED: frozenset[VerdictStatus] = frozenset({"correct", "incorrect"})
"""Statuses of a continuation that ended with an answer and was judged."""

UNJUDGED: frozenset[VerdictStatus] = frozenset({"timeout", "error"})
"""Statuses in which the verifier failed, not the response."""


def count(statuses: Iterable[VerdictStatus], missing: Missing = "miss") -> tuple[int, int]:
    """(k, n): the correct draws and the draws that count.

    `miss`: every draw counts, as in the paper. `drop`: only finished draws do.
    """
    kept = [status for status in statuses if missing == "miss" or status in FINISHED]
    return kept.count("correct"), len(kept)


def count_own(status: VerdictStatus, missing: Missing = "miss") -> tuple[int, int]:
    """(k, n) of a last step, from its solution's own verdict: (1, 1) or (0, 1).

    A truncated or answerless solution is a miss in any case: its last step leads nowhere. `drop` leaves
    out only a verdict that the verifier failed to give, as (0, 0).
    """
    if missing == "drop" and status in UNJUDGED:
        return 0, 0
    return int(status == "correct"), 1


def score(correct: int, total: int) -> float | None:
    """mc = k / n in [0, 1]; null if nothing was measured."""
    return correct / total if total else None


def label_of(score: float | None, origin: str, threshold: float, given: Label | None = None) -> Label | None:
    """What a step's label is: `+` if its mc is above the threshold, else `-`; null if that is not known.

    The one place that says so. Without a score there is a label at threshold 0 alone: of an implied step, which was not
    drawn from, but a later prefix of the same solution reached the right answer; and of a step that came with the label
    alone. Both say whether mc is above 0, not how far.

    Args:
        score: mc in [0, 1].
        origin: the step's `origin`.
        threshold: in [0, 1).
        given: the label that the step came with; it counts where there is no score.
    """
    if score is not None:
        return "+" if score > threshold else "-"
    if threshold > 0:
        return None
    return "+" if origin == "implied" else given


def step_label(step: Step, config: LabelConfig) -> Label | None:
    """The hard label of a step that has its counts."""
    return label_of(step.score, step.origin, config.threshold)


def published_label(step: Mapping[str, Any], threshold: float | None) -> Label | None:
    """The label of an entry of a published `steps_with_score`: as published, or by another threshold."""
    published: Label | None = step["label"]
    return published if threshold is None else label_of(step["score"], step["origin"], threshold, published)


def stated_threshold(figures: Mapping[str, Any]) -> float | None:
    """The threshold of a dataset's labels by its `stats.json`; null where that states none."""
    rule = figures.get("label")
    return None if rule is None or rule["threshold"] is None else float(rule["threshold"])


def label_solution(solution: Solution, config: LabelConfig) -> Solution:
    """The solution with `num_mc_correct`, `num_mc_total` and `score` of every step filled in.

    Draws decide wherever there are any; a last step without draws has the solution's own verdict if its
    origin says so; everything else is null, never 0. An `implied` step without a success further on is
    `not_sampled`: the success that spoke for it was taken back when the verdicts were given anew.
    """
    steps: list[Step] = []
    success_after = solution.verdict.status == "correct"
    for step in reversed(solution.steps):
        measured = _measure(step, solution, config)
        if measured.origin == "implied" and not success_after:
            measured = dataclasses.replace(measured, origin="not_sampled")
        steps.append(measured)
        success_after = success_after or _has_success(step)
    return dataclasses.replace(solution, steps=tuple(reversed(steps)))


def labelled_steps(solution: Solution, config: LabelConfig) -> list[tuple[Step, Label | None]]:
    """Every step with its counts, and its hard label."""
    return [(step, step_label(step, config)) for step in label_solution(solution, config).steps]


def check_threshold(strategy: str, stops_at_success: bool, config: LabelConfig) -> None:
    """Refuses thresholds that the draws can't answer for.

    Raises:
        UserError: the threshold is above 0 and the strategy stops at a success, which biases k / n.
    """
    if config.threshold > 0 and stops_at_success:
        raise UserError(
            f"label.threshold={config.threshold:g} with rollout.strategy={strategy}: the strategy stops at a "
            "success, which biases scores; set label.threshold=0 or top the run up with rollout.strategy=fixed"
        )


def without_cut_short(before: Solution, after: Solution, num_draws: int) -> Solution:
    """`after` without the draws of steps that lost their success when the verdicts of `before` were given anew.

    Drawing that ended before `num_draws` ended with a success among the draws, under whatever strategy. Such a step
    now has too few draws and no success, so it is neither `+` nor, as if all had missed, `-`: it has no label. A last
    step has its solution's own verdict, if its origin says so.
    """
    steps = tuple(
        dataclasses.replace(new, draws=())
        if len(new.draws) < num_draws and _has_success(old) and not _has_success(new)
        else new
        for old, new in zip(before.steps, after.steps, strict=True)
    )
    return dataclasses.replace(after, steps=steps)


def _has_success(step: Step) -> bool:
    return any(draw.verdict.status == "correct" for draw in step.draws)


def _measure(step: Step, solution: Solution, config: LabelConfig) -> Step:
    origin: StepOrigin = "measured" if step.draws else step.origin
    if step.draws:
        correct, total = count((draw.verdict.status for draw in step.draws), config.missing)
    elif origin == "own_answer":
        correct, total = count_own(solution.verdict.status, config.missing)
    else:
        correct, total = 0, 0
    return dataclasses.replace(
        step,
        num_mc_correct=correct if total else None,
        num_mc_total=total if total else None,
        score=score(correct, total),
        origin=origin,
    )
