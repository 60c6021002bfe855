"""Columns of Arrow as arrays of numbers. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def lengths_of(lists: pa.ListArray) -> np.ndarray:
    """How many values each list has, [lists]; a null one has none."""
    if not lists.null_count:
        return np.diff(lists.offsets.to_numpy()).astype(np.int64)
    found: np.ndarray = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    return found.astype(np.int64)


def listed(like: pa.ListArray, values: pa.Array, type: pa.ListType | None = None) -> pa.ListArray:
    """Lists as long as those of `like`, null ones empty, of other values: as many as `like.flatten()` has."""
    offsets = np.zeros(len(like) + 1, np.int32)
    np.cumsum(lengths_of(like), out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), values, type=type)


def codes_of(texts: pa.StringArray, known: Sequence[str]) -> np.ndarray:
    """Each text as its place among those that are `known`, [texts].

    Raises:
        ValueError: one is not known, or null.
    """
    places = pc.index_in(texts, pa.array(known))
    if places.null_count:
        odd = texts.filter(pc.is_null(places))[0].as_py()
        raise ValueError(f"{odd!r} is none of {', '.join(known)}")
    found: np.ndarray = places.to_numpy()
    return found.astype(np.int64)
