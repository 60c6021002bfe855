"""A few numbers of every solution, from the labels and scores of its steps. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stages.browse.arrays import offsets_of
from stages.browse.collection import ORIGINS, ROWS, STATUSES, table_of

FEW = 1 / 8
"""A step labelled right by no larger share of its continuations rests on few successes."""
FEW_OF = 4
"""Continuations below which a share says nothing of that."""
NOTABLE = {
    "right-by-a-wrong-way": "right answer, a step labelled wrong",
    "wrong-with-right-steps": "wrong answer, every measured step labelled right",
    "few-successes": "a label rests on few successes",
    "late-mode": "right by a late mode of the verifier",
    "critics-disagree": "a critic disagrees with the label",
}
"""What makes a solution worth a look, a bit each."""
NONE, UNKNOWN = 0, -1
"""Of `first_wrong`: no step is labelled wrong; no step is labelled. Steps count from 1."""
_MEASURED = [ORIGINS.index(name) for name in ("measured", "implied", "given")]
_WRONG = [STATUSES.index(name) for name in ("incorrect", "no_answer", "truncated")]
_RIGHT = STATUSES.index("correct")

Ints = npt.NDArray[np.int64]

PART = pa.schema(
    [
        *(column for column in ROWS if column.name not in ("text", "mode", "steps")),
        ("characters", pa.int32()),
        ("steps", pa.int32()),
        ("first_wrong", pa.int32()),
        ("lowest", pa.float32()),
        ("notable", pa.int8()),
        ("few", pa.int32()),
        ("origins", pa.int8()),
        ("labels", pa.list_(pa.int8())),
        ("scores", pa.list_(pa.float32())),
    ]
)
"""A row of the index: `first_wrong` counts steps from 1, `lowest` is the lowest score, `notable` has bits of `NOTABLE`.

`question` and `answer` stand at a problem's first solution alone. `labels` is 1, 0 or -1, and -2 without a label.
"""


def part_rows(rows: pa.Table) -> pa.Table:
    """The index's rows of a table of `ROWS`."""
    lists = rows["steps"].combine_chunks()
    flat = lists.flatten()
    offsets = offsets_of(lists).to_numpy().astype(np.int64)
    label = pc.fill_null(flat.field("label"), -2).to_numpy(zero_copy_only=False)
    score = flat.field("score").to_numpy(zero_copy_only=False).astype(np.float32)
    numbers = step_numbers(
        offsets,
        label,
        score,
        pc.fill_null(flat.field("n"), 0).to_numpy(zero_copy_only=False),
        pc.fill_null(flat.field("origin"), -1).to_numpy(zero_copy_only=False),
        pc.fill_null(rows["status"], STATUSES.index("unknown")).to_numpy(),
        pc.fill_null(rows["mode"], -1).to_numpy(),
    )
    ids = rows["problem_id"].combine_chunks()
    first = np.ones(len(ids), bool)
    if len(ids):
        first[1:] = pc.not_equal(ids.slice(1), ids.slice(0, len(ids) - 1)).to_numpy(zero_copy_only=False)
    once = {name: pc.if_else(pa.array(first), rows[name], None) for name in ("question", "answer")}
    columns: Mapping[str, Any] = {
        **{name: rows[name] for name in rows.column_names},
        **once,
        **numbers,
        "characters": pc.utf8_length(rows["text"]),
        "labels": pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(label, pa.int8())),
        "scores": pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(score, pa.float32())),
    }
    return table_of(columns, PART)


def step_numbers(
    offsets: Ints, label: Ints, score: npt.NDArray[Any], n: Ints, origin: Ints, status: Ints, mode: Ints
) -> dict[str, npt.NDArray[Any]]:
    """The numbers of each solution, whose steps are `[offsets[i], offsets[i + 1])` of the other arrays.

    Args:
        label: 1 right, 0 wrong, -1 neutral, -2 none.
        score: NaN where nothing was measured.
        status, mode: of the solutions.
    """
    count = len(offsets) - 1
    sizes = np.diff(offsets)
    owner = np.repeat(np.arange(count), sizes)
    place = np.arange(len(label)) - offsets[owner] + 1
    wrong, labelled = label == 0, label >= -1
    first = np.full(count, np.iinfo(np.int32).max)
    np.minimum.at(first, owner[wrong], place[wrong])
    any_wrong = first < np.iinfo(np.int32).max
    any_label = np.bincount(owner, labelled, count) > 0
    lowest = np.full(count, np.inf, np.float32)
    known = ~np.isnan(score)
    np.minimum.at(lowest, owner[known], score[known])
    few = (label == 1) & known & (n >= FEW_OF) & (score > 0) & (score <= FEW)
    few_steps = np.bincount(owner, few, count).astype(np.int64)
    measured = np.isin(origin, _MEASURED) & (label >= 0)
    all_right = (np.bincount(owner, measured, count) > 0) & (np.bincount(owner, measured & wrong, count) == 0)
    flags = (
        (status == _RIGHT) & any_wrong,
        np.isin(status, _WRONG) & all_right,
        few_steps > 0,
        (status == _RIGHT) & (mode > 0),
    )
    notable = sum((flag.astype(np.int64) << bit for bit, flag in enumerate(flags)), np.zeros(count, np.int64))
    origins = np.zeros(count, np.int64)
    has_origin = origin >= 0
    np.bitwise_or.at(origins, owner[has_origin], 1 << origin[has_origin].astype(np.int64))
    return {
        "steps": sizes,
        "first_wrong": np.where(any_wrong, first, np.where(any_label, NONE, UNKNOWN)),
        "lowest": np.where(np.isinf(lowest), np.nan, lowest),
        "notable": notable,
        "few": few_steps,
        "origins": origins,
    }
