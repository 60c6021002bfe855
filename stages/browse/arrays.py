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
from stages.label import FINISHED, UNJUDGED

Ints = npt.NDArray[np.int64]
_STEP = ROWS.field("steps").type.value_type


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
        label=None if label is None else pc.index_in(label, pa.array(["-", "+"])),
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
    own = _codes(solutions.field("verdict").field("status"))
    of_step = np.repeat(np.arange(len(counts)), counts)
    k, n, drawn, seen = _draw_counts(steps.field("draws"), config)
    origin = code_of(steps.field("origin"), ORIGINS).to_numpy(zero_copy_only=False).astype(np.int8)
    origin[drawn > 0] = ORIGINS.index("measured")
    answers = (drawn == 0) & (origin == ORIGINS.index("own_answer"))
    k[answers] = own[of_step[answers]] == VERDICT_STATUSES.index("correct")
    unjudged = np.isin(own, [VERDICT_STATUSES.index(name) for name in UNJUDGED])[of_step]
    n[answers] = np.where(unjudged[answers] & (config.missing == "drop"), 0, 1)
    known = n > 0
    score = np.divide(k, n, out=np.full(len(k), np.nan), where=known)
    label = np.where(score > config.threshold, 1, 0)
    implied = ~known & (origin == ORIGINS.index("implied"))
    taken_back = implied & ~_success_after(k, of_step, own)
    origin[taken_back] = ORIGINS.index("not_sampled")
    implied &= ~taken_back & (config.threshold == 0)
    label[implied] = 1
    has_label = known | implied
    lists_out = step_lists(
        offsets,
        score=pa.array(score, mask=~known),
        k=pa.array(k, mask=~known),
        n=pa.array(n, mask=~known),
        label=pa.array(label, mask=~has_label),
        origin=pa.array(origin),
    )
    bits = np.zeros(len(counts), np.int64)
    np.bitwise_or.at(bits, of_step, seen)
    return lists_out, pa.array(bits, pa.int8())


def _draw_counts(lists: pa.Array, config: LabelConfig) -> tuple[Ints, Ints, Ints, Ints]:
    """Of every step: k, n, the number of draws, and a bit for each of their verdicts."""
    sizes = np.diff(offsets_of(lists).to_numpy())
    codes = _codes(lists.flatten().field("verdict").field("status"))
    of_draw = np.repeat(np.arange(len(sizes)), sizes)
    kept = np.isin(codes, [VERDICT_STATUSES.index(name) for name in FINISHED]) | (config.missing == "miss")
    k = np.bincount(of_draw, codes == VERDICT_STATUSES.index("correct"), len(sizes)).astype(np.int64)
    n = np.bincount(of_draw, kept, len(sizes)).astype(np.int64)
    seen = np.zeros(len(sizes), np.int64)
    np.bitwise_or.at(seen, of_draw, 1 << codes)
    return k, n, sizes.astype(np.int64), seen


def _success_after(k: Ints, of_step: Ints, own: Ints) -> npt.NDArray[np.bool_]:
    """Whether a later step of the same solution, or the solution itself, reached the right answer."""
    last = np.full(len(own), -1, np.int64)
    hits = np.flatnonzero(k > 0)
    np.maximum.at(last, of_step[hits], hits)
    after: npt.NDArray[np.bool_] = (np.arange(len(k)) < last[of_step]) | (own == VERDICT_STATUSES.index("correct"))[
        of_step
    ]
    return after


def _codes(statuses: pa.Array) -> Ints:
    found: Ints = pc.index_in(statuses, pa.array(VERDICT_STATUSES)).to_numpy(zero_copy_only=False).astype(np.int64)
    return found
