from __future__ import annotations

import copy
import io
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from stages.exchange.spool import Buckets, SortedLines
from stages.load.sources.parts import JoinedParts
from stages.publish.kept import _same, keep, kept_of, restore

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
RECORDS = st.dictionaries(st.sampled_from("abcdef"), VALUES)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.binary(max_size=9), min_size=1, max_size=5), st.lists(st.tuples(st.integers(0, 50), st.integers(0, 30)))
)
def test_parts_read_as_their_concatenation(parts: list[bytes], reads: list[tuple[int, int]]) -> None:
    whole = io.BytesIO(b"".join(parts))
    with TemporaryDirectory() as folder:
        paths = [Path(folder) / str(index) for index in range(len(parts))]
        for path, part in zip(paths, parts, strict=True):
            path.write_bytes(part)
        with io.BufferedReader(JoinedParts(paths), buffer_size=4) as file:
            assert file.read() == whole.getvalue()
            assert file.seek(0, io.SEEK_END) == len(whole.getvalue())
            for offset, size in reads:
                assert file.seek(offset) == whole.seek(offset)
                assert file.read(size) == whole.read(size)


@given(RECORDS, RECORDS)
def test_a_record_is_restored_whatever_its_rendering_says(
    record: dict[str, object], rendered: dict[str, object]
) -> None:
    kept = keep("raw", "f", 1, record, rendered)
    again = restore(rendered, kept)
    assert repr(again) == repr(record)
    stored = kept_of({"extra": keep("raw", "f", 1, {}, {}).text()})
    assert stored is not None
    assert stored.keys == ()


LEAVES = st.sampled_from([0, 0.0, -0.0, 1, 1.0, True, False, None, "", "1", float("nan"), "\ud800"])
ALIKE = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.lists(inner, max_size=2).map(tuple)
        | st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
    ),
    max_leaves=4,
)


@settings(max_examples=500, deadline=None)
@given(ALIKE, ALIKE)
def test_two_values_are_the_same_if_their_json_is(one: object, other: object) -> None:
    for pair in (
        (one, other),
        (one, copy.deepcopy(one)),
        ([one], [one]),
        ({"a": one, "b": other}, {"b": other, "a": one}),
    ):
        assert _same(*pair) == (json.dumps(pair[0]) == json.dumps(pair[1]))


def test_what_the_rendering_gives_is_not_kept_twice() -> None:
    assert keep("raw", "f", 1, {"a": 1, "b": 1.0}, {"a": 1, "b": 1, "c": 2}).fields == {"b": 1.0}


def test_sorting_is_stable(tmp_path: Path) -> None:
    buckets = Buckets(tmp_path)
    for number, key in enumerate(["ff1", "00a", "ff0", "00a", "7f"]):
        buckets.add(key, ("tab\there\n", number))
    assert list(buckets.sorted()) == [
        ("00a", ("tab\there\n", 1)),
        ("00a", ("tab\there\n", 3)),
        ("7f", ("tab\there\n", 4)),
        ("ff0", ("tab\there\n", 2)),
        ("ff1", ("tab\there\n", 0)),
    ]
    lines = SortedLines(tmp_path / "deep/x.jsonl")
    for rank, value in [((2,), "c"), ((1,), "ä"), ((1,), "b")]:
        lines.add(rank, value)
    assert lines.finish() == 3
    assert (tmp_path / "deep/x.jsonl").read_text(encoding="utf-8") == '"ä"\n"b"\n"c"\n'
