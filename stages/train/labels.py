"""Which labels a training learns: the published ones, or those of another threshold; and what the user is told of it.

What a step's label is says `stages/label.py` alone. Here a dataset's steps are counted by score, origin and label, of
which there are few combinations, so that all labels are compared with those of a threshold without reading a text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.schemas import PUBLISHED_STEP
from stages.label import published_label, stated_kind, stated_threshold
from stages.label_rules import Label, label_of
from stages.train.config import TrainConfig

PAPER = 0.0
"""The threshold of arXiv 2503.10291, section 3.1, for steps whose dataset gives them a score and no label."""
_STEPS = "steps_with_score"

Key = tuple[float | None, str, Label | None]
"""A step's score, origin and published label."""
Tally = Mapping[Key, int]
"""How many steps have each."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of a training.

    `threshold` is the one that gives them all; null where none does, and they are taken as published. `published` is
    what `threshold` is where `target.threshold` is null. `rule` is the threshold that the dataset states, else the
    paper's: it gives a label to steps that were published with a score alone; null where these are doubtful and stay
    without. `note` is one line for the user, where there is something to say.
    """

    threshold: float | None
    published: float | None
    rule: float | None = PAPER
    note: str | None = None

    def same(self, one: float | None, other: float | None) -> bool:
        """Do two values of `target.threshold` mean the same labels of this dataset?"""
        first, second = (self.published if value is None else value for value in (one, other))
        return one == other or (first is not None and first == second)

    def row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A published row whose steps have the labels to learn."""
        return {**row, _STEPS: [self._step(_whole(step)) for step in row[_STEPS]]}

    def _step(self, step: Mapping[str, Any]) -> dict[str, Any]:
        bare = step["score"] is not None and step["label"] is None
        threshold = self.rule if bare and self.threshold is None else self.threshold
        return {**step, "label": published_label(step, threshold)}


def labels_of(config: TrainConfig, shards: Sequence[Path], figures: Mapping[str, Any]) -> Labels:
    """The labels that a training's settings ask for, of shards with this `stats.json`."""
    target, data, kind = config.target, config.data, stated_kind(figures)
    if target.kind == "advantage" and not data.drop_all_right and data.select != "informative":
        # Nothing reads them.
        note = None if kind == "mc" else f"target.kind=advantage learns from scores: labels of kind {kind} have no say"
        return Labels(target.threshold or PAPER, PAPER, note=note)
    if kind != "mc":
        return choose_of_kind(tally(shards), target.threshold, kind, data.path)
    return choose(tally(shards), target.threshold, stated_threshold(figures), data.path)


def tally(shards: Sequence[Path]) -> Tally:
    """Counts the steps of shards."""
    found: Counter[Key] = Counter()
    for shard in shards:
        with pq.ParquetFile(shard) as file:
            held = file.schema_arrow.field(_STEPS).type.value_type
            fields = [field for field in held if field.name in ("score", "num_mc_total", "origin", "label")]
            names = [field.name for field in fields]
            leaves = (file.schema.column(index).path for index in range(len(file.schema)))
            paths = [leaf for leaf in leaves if leaf.startswith(f"{_STEPS}.") and leaf.rsplit(".", 1)[1] in names]
            lists = file.read(columns=paths)[_STEPS].chunks
        batches = [pa.RecordBatch.from_struct_array(chunk.flatten()) for chunk in lists]
        steps = pa.Table.from_batches(batches, schema=pa.schema(fields)).cast(_plain(fields))
        for row in steps.group_by(names).aggregate([([], "count_all")]).to_pylist():
            step = _whole(row)
            found[step["score"], step["origin"], step["label"]] += row["count_all"]
    return found


def _plain(fields: Sequence[pa.Field]) -> pa.Schema:
    """These columns in the published types, whatever program saved them."""
    return pa.schema([PUBLISHED_STEP.field(field.name) for field in fields])


def choose(steps: Tally, threshold: float | None, stated: float | None, path: str) -> Labels:
    """The labels to learn.

    Args:
        threshold: `target.threshold`; null for the labels as published.
        stated: the threshold that the dataset states for its labels; null if it states none.
        path: the dataset, for the note.
    """
    rule = PAPER if stated is None else stated
    published = None if _number(steps, lambda key: _differs(key, rule, rule)) else rule
    if threshold is not None:
        return Labels(threshold, published, rule, _note_of_other(steps, threshold, stated, path))
    if stated is None:
        return Labels(published, published, rule, _note_of_unstated(steps, path))
    return Labels(published, published, rule, _note_of_wrong(steps, stated, path) if published is None else None)


def choose_of_kind(steps: Tally, threshold: float | None, kind: str, path: str) -> Labels:
    """The labels to learn of a dataset whose labels are of another kind than `mc`: of these no threshold gives any."""
    if threshold is not None:
        what = f"was published with label.kind={kind}"
        return Labels(threshold, None, None, _note_of_change(steps, threshold, None, f"{path} {what}"))
    labelled = _number(steps, lambda key: key[2] is not None)
    return Labels(
        None, None, None, f"labels: {labelled:,} of kind {kind}; {_number(steps, _is_bare):,} doubtful steps have none"
    )


def _note_of_other(steps: Tally, threshold: float, stated: float | None, path: str) -> str | None:
    rule = PAPER if stated is None else stated
    if threshold == rule and not _number(steps, lambda key: _differs(key, threshold, rule)):
        return None
    what = "states no rule for them" if stated is None else f"was published with threshold {stated:g}"
    return _note_of_change(steps, threshold, rule, f"{path} {what}")


def _note_of_change(steps: Tally, threshold: float, rule: float | None, what: str) -> str:
    changed = _number(steps, lambda key: _differs(key, threshold, rule))
    lost = _number(steps, lambda key: _differs(key, threshold, rule) and _relabelled(key, threshold) is None)
    labelled = _number(steps, lambda key: _published(key, rule) is not None)
    note = f"target.threshold={threshold:g}: {changed:,} of {labelled:,} labels change; {what}"
    return f"{note}; {lost:,} steps lose their label, for they have no score" if lost else note


def _note_of_unstated(steps: Tally, path: str) -> str:
    bare = _number(steps, _is_bare)
    labelled = _number(steps, lambda key: key[2] is not None)
    parts = [f"{labelled:,} labels are taken as published"] if labelled or not bare else []
    if bare:
        parts.append(f"{bare:,} steps with a score alone are + above {PAPER:g}")
    return f"labels: {path} states no rule for them: {', '.join(parts)}"


def _note_of_wrong(steps: Tally, stated: float, path: str) -> str:
    others = _number(steps, lambda key: _differs(key, stated, stated))
    labelled = _number(steps, lambda key: key[2] is not None)
    return (
        f"labels: {path}/stats.json states threshold {stated:g}, by which {others:,} of {labelled:,} labels would be "
        "others: all are taken as published"
    )


def _number(steps: Tally, holds: Callable[[Key], bool]) -> int:
    """How many steps something holds for."""
    return sum(count for key, count in steps.items() if holds(key))


def _is_bare(key: Key) -> bool:
    """Has the step a score and no label?"""
    score, _, label = key
    return score is not None and label is None


def _differs(key: Key, threshold: float, rule: float | None) -> bool:
    return _published(key, rule) != _relabelled(key, threshold)


def _published(key: Key, rule: float | None) -> Label | None:
    return _relabelled(key, rule) if rule is not None and _is_bare(key) else key[2]


def _relabelled(key: Key, threshold: float) -> Label | None:
    score, origin, label = key
    return label_of(score, origin, threshold, label)


def _whole(step: Mapping[str, Any]) -> dict[str, Any]:
    """A step with all of its fields: shards from elsewhere may have scores alone, and 0 of 0 where nothing was drawn."""
    whole = {"label": None, "origin": "measured", **step}
    if whole["num_mc_total"] == 0:
        whole |= {"score": None, "num_mc_correct": None, "num_mc_total": None, "origin": "not_sampled"}
    return whole
