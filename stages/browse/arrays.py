"""Arrow arrays of steps: from the leaves of a dataset, a ledger or a bench to what the index reads. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import LabelConfig
from pipeline.records import VERDICT_STATUSES
from stages.browse.collection import ORIGINS, ROWS
from stages.label import label_columns
from stages.label_rules import LABELS as STEP_LABELS
from stages.label_rules import ORIGINS as LABEL_ORIGINS

Ints = npt.NDArray[np.int64]
_STEP = ROWS.field("steps").type.value_type
LABELS = {"+": 1, "-": 0}
"""A step's label as the number that `ROWS` has."""


def step_lists(offsets: pa.Array, **leaves: pa.Array | None) -> pa.Array:
    """A list array of `ROWS`' steps from its leaves; a leaf that is null is null in every step."""
    length = len(next(leaf for leaf in leaves.values() if leaf is not None))
    arrays = []
    for field in _STEP:
        leaf = leaves.get(field.name)
        arrays.append(pa.nulls(length, field.type) if leaf is None else leaf.cast(field.type))
    return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(arrays, fields=list(_STEP)))


def offsets_of(lists: pa.Array) -> pa.Array:
    """The offsets of a list array as those of its flattened values; a null list is empty."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())


def code_of(texts: pa.Array, names: Sequence[str]) -> pa.Array:
    """The number of each text among `names`; null for any other."""
    return pc.index_in(texts, pa.array(names)).cast(pa.int8())


def published_steps(lists: pa.Array) -> pa.Array:
    """From `steps_with_score` without its texts; leaves that a dataset lacks are null."""
    flat = lists.flatten()
    names = {field.name for field in flat.type}

    def leaf(name: str) -> pa.Array | None:
        return flat.field(name) if name in names else None

    label, origin = leaf("label"), leaf("origin")
    return step_lists(
        offsets_of(lists),
        score=leaf("score") if "score" in names else pa.nulls(len(flat), pa.float32()),
        k=leaf("num_mc_correct"),
        n=leaf("num_mc_total"),
        label=None if label is None else pc.index_in(label, pa.array(sorted(LABELS, key=LABELS.__getitem__))),
        origin=None if origin is None else code_of(origin, ORIGINS),
    )


def ledger_steps(solutions: pa.Array, config: LabelConfig) -> tuple[pa.Array, pa.Array]:
    """The steps of a ledger's solutions, labelled as `stages.label` does, and a bit for each verdict among their draws.

    Args:
        solutions: structs with `verdict.status` and `steps` of `origin` and `draws.verdict.status`.
    """
    lists = solutions.field("steps")
    offsets = offsets_of(lists)
    counts = np.diff(offsets.to_numpy())
    steps = lists.flatten()
    draws = _draw_counts(steps.field("draws"))
    origins = pc.index_in(steps.field("origin"), pa.array(LABEL_ORIGINS)).to_numpy(zero_copy_only=False)
    found = label_columns(_codes(solutions.field("verdict").field("status")), counts, origins, draws, config)
    unmeasured = found.total == 0
    lists_out = step_lists(
        offsets,
        score=pa.array(found.score, mask=unmeasured),
        k=pa.array(found.correct, mask=unmeasured),
        n=pa.array(found.total, mask=unmeasured),
        label=pa.array(np.array([LABELS[name] for name in STEP_LABELS])[found.label], mask=found.label < 0),
        origin=pa.array([ORIGINS.index(name) for name in LABEL_ORIGINS], pa.int8()).take(pa.array(found.origin)),
    )
    bits = np.zeros(len(counts), np.int64)
    seen = ((draws > 0) << np.arange(len(VERDICT_STATUSES))).sum(axis=1)
    np.bitwise_or.at(bits, np.repeat(np.arange(len(counts)), counts), seen)
    return lists_out, pa.array(bits, pa.int8())


def _draw_counts(lists: pa.Array) -> Ints:
    """How many draws of every step have each verdict, [steps, verdicts]."""
    sizes = np.diff(offsets_of(lists).to_numpy())
    codes = _codes(lists.flatten().field("verdict").field("status"))
    width = len(VERDICT_STATUSES)
    of_draw = np.repeat(np.arange(len(sizes)), sizes)
    return np.bincount(of_draw * width + codes, minlength=len(sizes) * width).reshape(-1, width)


def _codes(statuses: pa.Array) -> Ints:
    found: Ints = pc.index_in(statuses, pa.array(VERDICT_STATUSES)).to_numpy(zero_copy_only=False).astype(np.int64)
    return found
