"""What a folder notes of its making, and what is said when something else is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline import origin
from pipeline.errors import UserError
from pipeline.store import Store


def test_a_digest_follows_values_and_not_their_order() -> None:
    # As versions before named samples, searches and policies by it.
    assert origin.digest([1, {"b": None, "a": "ä"}]) == origin.digest([1, {"a": "ä", "b": None}])
    assert origin.digest(["x", {"a": 1}]) == "cc32547cfc884e96d8c6633ae505bb5638f3a47394f12c49b939180ca0f6800c"


def test_what_was_noted_is_read_by_the_kind_of_its_file(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    store.write_text("a.yaml", "x: {y: 1}\n")
    store.write_json("b.json", {"x": [1]})
    assert origin.noted(store, "a.yaml", "") == {"x": {"y": 1}}
    assert origin.noted(store, "b.json", "") == {"x": [1]}
    assert origin.noted(store, "c.json", "") is None


@pytest.mark.parametrize(
    ("name", "text"), [("a.json", '{"x": '), ("a.json", "[1]"), ("a.yaml", "x: [1"), ("a.yaml", ""), ("a.json", "\xff")]
)
def test_a_damaged_note_is_one_line_with_the_mend(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError) as caught:
        origin.noted(Store(str(tmp_path)), name, "remove that folder")
    told = str(caught.value)
    assert told.startswith(f"{tmp_path}/{name}: can't be read (")
    assert told.endswith("): remove that folder")
    assert "\n" not in told


@pytest.mark.parametrize(
    ("held", "wanted", "changes"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, "b (2, now 3)"),
        ({"b": 2, "a": 1}, {"c": None, "b": "2"}, "a (1, now null), b (2, now 2)"),
        ({"t": "one\ntwo"}, {"t": "one"}, "t (one two, now one)"),
        (
            {"p": "/disk/" + "models/" * 9 + "first"},
            {"p": "/disk/" + "models/" * 9 + "second"},
            "p (...odels/models/models/first, now ...odels/models/models/second)",
        ),
        ({"p": "x" * 99}, {"p": 1}, f"p ({'x' * 37}..., now 1)"),
    ],
)
def test_a_refusal_names_all_that_differs(held: dict[str, Any], wanted: dict[str, Any], changes: str) -> None:
    with pytest.raises(UserError) as caught:
        origin.check("runs/x", held, wanted, "restore them")
    assert str(caught.value) == f"runs/x: made with other settings: {changes}: restore them"


def test_the_same_is_accepted_and_a_missing_key_is_null() -> None:
    origin.check("runs/x", {"a": 1, "b": None}, {"a": 1.0}, "")
    with pytest.raises(UserError, match=r"b \(null, now 0\)"):
        origin.check("runs/x", {"a": 1, "b": None}, {"a": 1.0, "b": 0}, "")
