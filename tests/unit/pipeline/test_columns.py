from __future__ import annotations

import pyarrow as pa
import pytest

from pipeline.columns import codes_of, lengths_of


def test_lists_have_lengths_and_null_ones_none() -> None:
    lists = pa.array([[1, 2], None, [], [3]], pa.list_(pa.int32()))
    assert lengths_of(lists).tolist() == [2, 0, 0, 1]
    # A slice has its own.
    assert lengths_of(lists[2:]).tolist() == [0, 1]


def test_texts_become_places_and_unknown_ones_are_no_places() -> None:
    assert codes_of(pa.array(["b", "a", "b"]), ("a", "b")).tolist() == [1, 0, 1]
    assert codes_of(pa.array([], pa.string()), ("a", "b")).tolist() == []
    with pytest.raises(ValueError, match="'c' is none of a, b"):
        codes_of(pa.array(["a", "c"]), ("a", "b"))
    with pytest.raises(ValueError, match="None is none of a, b"):
        codes_of(pa.array(["a", None]), ("a", "b"))
