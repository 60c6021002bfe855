"""Label: stored verdicts become counts, scores and hard labels. Pure, cheap and repeatable.

The expected accuracy of step i is mc_i = k / n: of the n continuations of the solution's first i steps,
k reach the right answer. The hard label follows from k and n (`label_rules.py`). What counts as a miss and what as
missing is decided here alone, never when a continuation is drawn, so every choice can be changed without a GPU.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from pipeline.config import LabelConfig
from pipeline.errors import UserError
from pipeline.records import VERDICT_STATUSES, Solution, Step, StepOrigin, VerdictStatus
from stages.label_rules import (
    NEUTRAL,
    ORIGINS,
    Label,
    counted_label,
    counted_labels,
    judged_labels,
    label_of,
)

Missing = Literal["miss", "drop"]

FINISHED: frozenset[VerdictStatus] = frozenset({"correct", "incorrect"})
"""Statuses of a continuation that ended with an answer and was judged."""

UNJUDGED: frozenset[VerdictStatus] = frozenset({"timeout", "error"})
"""Statuses in which the verifier failed, not the response."""


_CORRECT = VERDICT_STATUSES.index("correct")
_FINISHED = [index for index, status in enumerate(VERDICT_STATUSES) if status in FINISHED]
_UNJUDGED = [index for index, status in enumerate(VERDICT_STATUSES) if status in UNJUDGED]


class Drawn(NamedTuple):
    """What was drawn after a step: how many continuations, how many of these were judged, and how many are correct.

    `label.missing` says which count: every one (`miss`), as in the paper, or only those that were judged (`drop`).
    """

    total: int
    finished: int
    correct: int

    @classmethod
    def of(cls, statuses: Iterable[VerdictStatus]) -> Drawn:
        """From the verdicts of all draws."""
        found = list(statuses)
        return cls(len(found), sum(status in FINISHED for status in found), found.count("correct"))

    def counted(self, missing: Missing) -> tuple[int, int]:
        """(k, n): the correct draws and the draws that count."""
        return self.correct, self.total if missing == "miss" else self.finished


class Measured(NamedTuple):
    """What is known of a step: k, n and mc = k / n, null where nothing was measured; where that is from; its label."""

    correct: int | None
    total: int | None
    score: float | None
    origin: StepOrigin
    label: Label | None


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


def step_label(step: Step, config: LabelConfig) -> Label | None:
    """The hard label of a step that has its counts."""
    return counted_label(step.num_mc_correct or 0, step.num_mc_total or 0, step.origin, config)


def published_label(step: Mapping[str, Any], threshold: float | None) -> Label | None:
    """The label of an entry of a published `steps_with_score`: as published, or by `mc` with a threshold."""
    published: Label | None = step["label"]
    return published if threshold is None else label_of(step["score"], step["origin"], threshold, published)


def stated_kind(figures: Mapping[str, Any]) -> str:
    """The kind of a dataset's labels by its `stats.json`; `mc` where that says nothing else."""
    return str((figures.get("label") or {}).get("kind", "mc"))


def stated_threshold(figures: Mapping[str, Any]) -> float | None:
    """The threshold of a dataset's `mc` labels by its `stats.json`; null where that states none."""
    threshold = (figures.get("label") or {}).get("threshold")
    return None if threshold is None or stated_kind(figures) != "mc" else float(threshold)


def label_steps(
    verdict: VerdictStatus,
    origins: Sequence[StepOrigin],
    drawn: Sequence[Drawn],
    config: LabelConfig,
) -> list[Measured]:
    """What is known of each step of a solution with this verdict, from its origin and its draws.

    The kinds `judge` and `consensus` give no label here: a judge is heeded by `label_columns`.

    Draws decide wherever there are any; a last step without draws has the solution's own verdict if its
    origin says so; everything else is null, never 0. An `implied` step without a success further on is
    `not_sampled`: the success that spoke for it was taken back when the verdicts were given anew.
    """
    found: list[Measured] = []
    success_after = verdict == "correct"
    for origin, draws in zip(reversed(origins), reversed(drawn), strict=True):
        k, n = draws.counted(config.missing)
        if draws.total:
            origin = "measured"
        elif origin == "own_answer":
            k, n = count_own(verdict, config.missing)
        elif origin == "implied" and not success_after:
            origin = "not_sampled"
        mc = score(k, n)
        label = None if config.needs_judge else counted_label(k, n, origin, config)
        found.append(Measured(k if n else None, n if n else None, mc, origin, label))
        success_after = success_after or draws.correct > 0
    found.reverse()
    return found


@dataclass(frozen=True, slots=True)
class StepColumns:
    """What is known of the steps of many solutions, an entry a step.

    `correct` and `total` are k and n, 0 and 0 where nothing was measured. `origin` indexes `ORIGINS`, `label` indexes
    `LABELS`, or is -1 where the label is not known. `mc` are the labels that the kind `mc` would give, by which another
    kind is told apart; null where it is the kind.
    """

    correct: np.ndarray
    total: np.ndarray
    origin: np.ndarray
    label: np.ndarray
    mc: np.ndarray | None = None

    @property
    def score(self) -> np.ndarray:
        """mc = k / n; NaN where nothing was measured."""
        with np.errstate(invalid="ignore"):
            return self.correct / self.total


def label_columns(
    verdicts: np.ndarray,
    lengths: np.ndarray,
    origins: np.ndarray,
    draws: np.ndarray,
    config: LabelConfig,
    judged: np.ndarray | None = None,
) -> StepColumns:
    """`label_steps` of many solutions at once, the same for each of them, and the labels of `judge` and `consensus`.

    A part of the response that is `context` has no label, whatever a judge says of it, and needs no verdict.

    Args:
        verdicts: of each solution, an index into `VERDICT_STATUSES`, [solutions].
        lengths: the number of steps of each, [solutions].
        origins: of each step, an index into `ORIGINS`, [steps].
        draws: how many draws of each step have each verdict, [steps, verdicts].
        judged: what a judge says of each step, an index into `LABELS`, `NEUTRAL`, or -1 without a verdict, [steps].
    """
    right = np.repeat(verdicts == _CORRECT, lengths)
    drawn = draws.sum(axis=1)
    counted = drawn if config.missing == "miss" else draws[:, _FINISHED].sum(axis=1)
    measured = drawn > 0
    own = ~measured & (origins == ORIGINS.index("own_answer"))
    if config.missing == "drop":
        own &= ~np.repeat(np.isin(verdicts, _UNJUDGED), lengths)
    correct = np.where(measured, draws[:, _CORRECT], own & right)
    total = np.where(measured, counted, own)
    # Of the successes of a solution, those that come after each step.
    until = np.cumsum(draws[:, _CORRECT] > 0)
    ends = np.cumsum(lengths)[lengths > 0] - 1
    after = np.repeat(until[ends], lengths[lengths > 0]) - until
    origin = np.where(measured, ORIGINS.index("measured"), origins)
    implied = origin == ORIGINS.index("implied")
    origin[implied & ~right & (after == 0)] = ORIGINS.index("not_sampled")
    return labelled_columns(correct, total, origin, lengths, config, judged)


def labelled_columns(
    correct: np.ndarray,
    total: np.ndarray,
    origin: np.ndarray,
    lengths: np.ndarray,
    config: LabelConfig,
    judged: np.ndarray | None = None,
    given: np.ndarray | None = None,
) -> StepColumns:
    """The labels of steps that have their counts, by each kind; see `StepColumns` and `label_columns` for the arguments.

    Args:
        given: the label that each step came with, an index into `LABELS`, or -1, [steps]; `mc` at threshold 0 takes it where
            nothing was measured (`label_rules.label_of`).
    """

    def counted(kind: LabelConfig) -> np.ndarray:
        found = counted_labels(correct, total, origin, kind)
        if given is None or kind.threshold > 0:
            return found
        return np.where((found < 0) & (total == 0), given, found)

    mc = counted(compared_with(config))
    if config.needs_judge:
        said = np.where(origin == ORIGINS.index("context"), NEUTRAL, -1 if judged is None else judged)
        return StepColumns(correct, total, origin, judged_labels(mc, said, lengths, config), mc)
    if config.kind == "mc":
        return StepColumns(correct, total, origin, mc)
    return StepColumns(correct, total, origin, counted_labels(correct, total, origin, config), mc)


def of_draws(config: LabelConfig) -> LabelConfig:
    """The labels that draws give by themselves: those of the kind, or of `mc` where a judge has a say in it."""
    return compared_with(config) if config.needs_judge else config


def compared_with(config: LabelConfig) -> LabelConfig:
    """The `mc` labels that those of another kind are told apart by: of its threshold, or of 0 where it has none."""
    return LabelConfig(missing=config.missing, threshold=config.threshold)


def labelled_steps(solution: Solution, config: LabelConfig) -> list[tuple[Step, Label | None]]:
    """Every step with its counts, and its hard label."""
    drawn = [Drawn.of(draw.verdict.status for draw in step.draws) for step in solution.steps]
    found = label_steps(solution.verdict.status, [step.origin for step in solution.steps], drawn, config)
    return [
        (
            dataclasses.replace(
                step,
                num_mc_correct=measured.correct,
                num_mc_total=measured.total,
                score=measured.score,
                origin=measured.origin,
            ),
            measured.label,
        )
        for step, measured in zip(solution.steps, found, strict=True)
    ]


def label_solution(solution: Solution, config: LabelConfig) -> Solution:
    """The solution with `num_mc_correct`, `num_mc_total` and `score` of every step filled in, see `label_steps`."""
    return dataclasses.replace(solution, steps=tuple(step for step, _ in labelled_steps(solution, config)))


def check_rule(strategy: str, stops_at_success: bool, config: LabelConfig) -> None:
    """Refuses labels that the draws can't answer for.

    Raises:
        UserError: the strategy stops at a success, which biases k / n, and more is asked than whether that is above 0.
    """
    if not stops_at_success:
        return
    if config.kind not in ("mc", "judge"):
        asked, leave = f"label.kind={config.kind}", "label.kind=mc"
    elif config.threshold > 0:
        asked, leave = f"label.threshold={config.threshold:g}", "label.threshold=0"
    else:
        return
    raise UserError(
        f"{asked} with rollout.strategy={strategy}: the strategy stops at a success, which biases scores; set {leave} or "
        "top the run up with rollout.strategy=fixed"
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
