"""The steps of published rows as columns of numbers, as every kind of label needs them."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.columns import codes_of, lengths_of
from pipeline.config import LabelConfig, RunConfig, parse_config
from pipeline.config.label import of_other_kind
from pipeline.errors import UserError
from pipeline.store.dataset_files import read_figures, shard_paths
from stages.label import StepColumns, check_rule, labelled_columns, stated_kind
from stages.label_rules import LABELS, ORIGINS
from stages.publish.drawn import strategies
from stages.rollout import STRATEGIES


@dataclass(frozen=True, slots=True)
class PublishedSteps:
    """Of the solutions of some rows: how many steps each has, [solutions], and of each step k and n (0 and 0 where nothing was
    measured; k / n and 1 where only the share is known, `shared`), an index into `ORIGINS`, and its label as an index into
    `LABELS`, -1 without one, or where it is not one of `mc`, [steps].
    """

    lengths: np.ndarray
    correct: np.ndarray
    total: np.ndarray
    origin: np.ndarray
    given: np.ndarray
    shared: np.ndarray

    @classmethod
    def of(cls, rows: pa.ListArray, kind: str) -> PublishedSteps:
        """From the column `steps_with_score`; `kind` is that of its labels."""
        flat = rows.flatten()
        score, correct, total = (
            pc.cast(pc.fill_null(flat.field(name), 0), pa.float64()).to_numpy(zero_copy_only=False)
            for name in ("score", "num_mc_correct", "num_mc_total")
        )
        shared = (total == 0) & pc.is_valid(flat.field("score")).to_numpy(zero_copy_only=False)
        given = np.full(len(flat), -1)
        if kind == "mc":
            known = pc.fill_null(pc.index_in(flat.field("label"), pa.array(LABELS)), -1)
            given = known.to_numpy(zero_copy_only=False).astype(np.int64)
        return cls(
            lengths_of(rows),
            np.where(shared, score, correct),
            np.where(shared, 1, total),
            codes_of(flat.field("origin"), ORIGINS),
            given,
            shared,
        )

    @classmethod
    def joined(cls, parts: Sequence[PublishedSteps]) -> PublishedSteps:
        """All of them, one after the other."""
        names = [each.name for each in fields(cls)]
        return cls(*(np.concatenate([np.zeros(0, np.int64), *(getattr(one, name) for one in parts)]) for name in names))

    def labelled(self, config: LabelConfig, judged: np.ndarray | None = None) -> StepColumns:
        """Their labels by a kind; `judged` as in `stages.label.label_columns`.

        Raises:
            UserError: `interval` is asked of steps of which only the share k / n is known.
        """
        if config.kind == "interval" and self.shared.any():
            raise UserError("label.kind=interval: there are scores without counts: choose another kind")
        return labelled_columns(self.correct, self.total, self.origin, self.lengths, config, judged, self.given)


def stated_figures(dataset: str) -> Mapping[str, Any]:
    """The dataset's `stats.json`.

    Raises:
        UserError: there is none, so nobody knows what its labels are.
    """
    filesystem, shards = shard_paths(dataset)
    figures = read_figures(filesystem, posixpath.dirname(shards[0]))
    if not figures:
        raise UserError(
            f"{dataset}: has no stats.json, which says what its labels are: copy it again from where it came"
        )
    return figures


def settings_for(dataset: str, figures: Mapping[str, Any], overrides: Sequence[str]) -> RunConfig:
    """Settings of which those of labels are the dataset's own, with others in their place.

    Raises:
        UserError: a setting is none of labels or `output_dir`, or is about draws, which a dataset has as counts alone.
    """
    for setting in overrides:
        if not setting.startswith(("label.", "output_dir=")):
            raise UserError(f"override {setting!r}: of a dataset only label.* and output_dir can be set")
    # The judge of the run is no judge of the dataset.
    rule = figures.get("label") or {}
    held = {name: value for name, value in rule.items() if value is not None and name != "judge"}
    settings = {"name": "dataset", "sources": [{"name": "dataset", "path": dataset}], "label": held}
    config = parse_config(of_other_kind(settings, overrides), overrides, origin=dataset)
    if config.label.missing != (counted := held.get("missing", "miss")):
        raise UserError(
            f"label.missing={config.label.missing}: the counts of {dataset} are made with {counted}: leave it out"
        )
    return config


def lacks(figures: Mapping[str, Any], config: LabelConfig) -> str | None:
    """What a dataset lacks for this kind of labels, as `statistics` have it; null if nothing."""
    scored = figures["total"]["mean_mc"] is not None
    labelled = stated_kind(figures) == "mc" and figures["total"]["incorrect_step_share"] is not None
    if config.kind in ("band", "interval") or config.threshold > 0:
        return None if scored else "it has no scores"
    if config.kind != "judge" and not scored and not labelled:
        return f"it has no scores, and its labels are of kind {stated_kind(figures)}"
    return None


def check_kind(dataset: str, figures: Mapping[str, Any], config: LabelConfig) -> None:
    """
    Raises:
        UserError: the dataset lacks what this kind of labels needs, or was drawn with a strategy that stops at a success.
    """
    if missing := lacks(figures, config):
        asked = f"label.kind={config.kind}" if config.kind != "mc" else f"label.threshold={config.threshold:g}"
        raise UserError(f"{asked}: {dataset}: {missing}: choose another kind, or the dataset that it was made from")
    for name in sorted(strategies(figures) & set(STRATEGIES)):
        check_rule(name, STRATEGIES[name].stops_at_success, config)
