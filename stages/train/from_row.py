"""A row of a published dataset as a sample: its steps with their targets, rendered, cut to what the model reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pipeline.errors import RowError
from stages.publish.kept import kept_of
from stages.reward.render import Layout, image_token_id, leading, render
from stages.train import targets
from stages.train.config import TrainConfig
from stages.train.lengths import Limit, fit, image_lengths, image_size
from stages.train.samples import UNMEASURED, Sample
from stages.train.targets import LABELS, Target


def sample_of(
    row: Mapping[str, Any], before: float | None, config: TrainConfig, processor: Any, layout: Layout, limit: Limit
) -> tuple[Sample, int]:
    """A row as a sample, and how many of its steps didn't fit.

    Raises:
        RowError: it can't be used.
    """
    texts, goals = _steps_and_targets(row, before, config)
    images = [image["bytes"] for image in row["images"]]
    sizes = [image_size(data) for data in images]
    # Of the whole solution, as it will be scored: where labels aren't written, the text after a step tells where it ends.
    rendering = render(processor, row["question"], len(images), texts, own_layout(row, layout))
    lengths = image_lengths(processor, sizes)
    fitted = fit(rendering, lengths, limit, image_token_id(processor))
    wanted = len(goals)
    goals = targets.trimmed(goals[: len(fitted.slots)])
    if not goals:
        raise RowError("no_measured_step", f"no step within {limit} has a score")
    fitted = leading(rendering, len(goals))
    measured = sum(goal is not None for goal in goals)
    weight = targets.step_weight(measured, config.loss.reduction)
    size = len(layout.labels)
    sample = Sample(
        id=row["id"],
        token_ids=fitted.token_ids,
        slots=fitted.slots,
        length=len(fitted.token_ids) + sum(lengths) - len(lengths),
        images=images,
        labels=[UNMEASURED if goal is None else goal.label for goal in goals],
        mass=[(0.0,) * size if goal is None else goal.mass for goal in goals],
        weights=[0.0 if goal is None else weight for goal in goals],
    )
    return sample, wanted - len(goals)


def own_layout(row: Mapping[str, Any], layout: Layout) -> Layout:
    """The layout with the system turn that an imported row brought along, if it did."""
    kept = kept_of(row)
    return layout if kept is None or kept.system is None else replace(layout, system=kept.system)


def _steps_and_targets(
    row: Mapping[str, Any], before: float | None, config: TrainConfig
) -> tuple[list[str], list[Target | None]]:
    target = config.target
    if not row["steps_with_score"]:
        raise RowError("no_step", "the solution has no step")
    if target.kind == "outcome":
        goals: list[Target | None] = [targets.outcome_target(row)]
        texts = [row["response"]]
    else:
        goals = targets.step_targets(row["steps_with_score"], target.kind, target.tolerance, before)
        texts = [step["step"] for step in row["steps_with_score"]]
    if target.stop_at_first_error:
        goals = targets.stop_at_first_error(goals, len(LABELS[target.kind]))
    goals = targets.trimmed(goals)
    if not goals:
        raise RowError("no_measured_step", "no step has a score")
    return texts, goals
