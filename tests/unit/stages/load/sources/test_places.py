"""Places in rows, lists that are written as text, and rows inside values."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.config import SourceConfig
from pipeline.errors import RowError, UserError
from stages.load.sources.literals import structured
from stages.load.sources.nesting import document_rows, inner_rows
from stages.load.sources.places import columns_of, look

ROW: dict[str, Any] = {
    "answer": 4,
    "a.b": "dotted",
    "json": '{"question": "Q?", "tags": ["x", "y"]}',
    "turns": [{"from": "system", "value": "S"}, {"from": "human", "value": "H"}, {"from": "human", "value": "later"}],
    "choices": [{"label": "A", "text": "cat"}, {"label": "B", "text": "owl"}],
    "split": "val",
    "number": "31",
    "names": ["1.png", "2.png"],
    "nothing": None,
    "file": "old/place/1.png",
    "blank": "",
}


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("answer", 4),
        ("a.b", "dotted"),
        ("json.question", "Q?"),
        ("json.tags.1", "y"),
        ("json.tags.-1", "y"),
        ("json.tags.2", None),
        ("turns.0.value", "S"),
        ("turns.from=human.value", "H"),
        ("turns.from=gpt.value", None),
        ("choices.*.text", ["cat", "owl"]),
        ("answer.value", None),
        ("absent", None),
        ("absent.deeper", None),
        ("{split}/{number:06d}.jpg", "val/000031.jpg"),
        ("im/{names}", ["im/1.png", "im/2.png"]),
        ("im/{file:name}", "im/1.png"),
        ("{split}/{nothing}", None),
        ("{split}/{blank}", None),
        ("{{{split}}}", "{val}"),
    ],
)
def test_a_place(place: str, expected: Any) -> None:
    assert look(ROW, place) == expected


def test_a_value_that_does_not_fit_its_form() -> None:
    with pytest.raises(RowError, match="split is 'val'"):
        look(ROW, "{split:06d}.jpg")
    assert look({"id": 3.0}, "{id:02d}.jpg") == "03.jpg"
    with pytest.raises(RowError, match=r"id is 3\.5: not a whole number"):
        look({"id": 3.5}, "{id:02d}.jpg")


def test_the_columns_of_places() -> None:
    assert set(columns_of(("json.image", "{split}/{id}.png"))) == {"json.image", "json", "split", "id"}


@pytest.mark.parametrize("place", ["{}.png", "{name", "{name!}"])
def test_a_form_that_can_not_be_read_is_told_at_once(place: str) -> None:
    with pytest.raises(ValidationError):
        SourceConfig.model_validate({"name": "s", "path": "x.csv", "fields": {"image": place}})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('["cat", "owl"]', ["cat", "owl"]),
        ("['cat', \"Ann's\"]", ["cat", "Ann's"]),
        ("('cat', 'owl')", ("cat", "owl")),
        ("{'A': 'cat'}", {"A": "cat"}),
        ("[1, 2.5, None]", [1, 2.5, None]),
        ("(B)", "(B)"),
        ("[cat, owl]", "[cat, owl]"),
        ("[0, 1)", "[0, 1)"),
        ("[1, 2", "[1, 2"),
        ("cat", "cat"),
        ("", ""),
        (3, 3),
        ("['it\\'s']", ["it's"]),
        ("['a' ,'b']", ["a", "b"]),
        ("[__import__('os')]", "[__import__('os')]"),
    ],
)
def test_lists_as_text(text: Any, expected: Any) -> None:
    assert structured(text) == expected


@pytest.mark.parametrize("text", ["['cat' 'owl']", "['cat'\n 'owl']", "['it''s', 'no']", '["a" "b"]', "['a', 'b' 'c']"])
def test_two_texts_without_a_comma_are_never_one(text: str) -> None:
    with pytest.raises(RowError, match="no comma between two texts"):
        structured(text)


@pytest.mark.parametrize(
    "text", [r"['\frac{1}{2}', '1']", r'["\frac{1}{2}"]', r"['2\times 3']", r'["\beta"]', r"['\nu']"]
)
def test_latex_that_would_be_read_as_an_escape(text: str) -> None:
    with pytest.raises(RowError, match="write the backslash twice"):
        structured(text)


@pytest.mark.parametrize("text", [r"['\\frac{1}{2}']", r'["\\theta"]', r"['one\ntwo']", r"['\sqrt{2}']"])
def test_escapes_that_are_meant(text: str) -> None:
    assert isinstance(structured(text), list)


@given(st.lists(st.text(st.characters(exclude_categories=("Cc", "Cs"))), min_size=1))
def test_what_json_or_python_writes_is_read_back(items: list[str]) -> None:
    assert structured(json.dumps(items)) == items
    assert structured(str(items)) == items


@given(st.text(alphabet="[](){}'\",:\\ ab0\n", max_size=40))
def test_no_text_raises_anything_but_a_row_error(text: str) -> None:
    with suppress(RowError):
        found = structured(text)
        assert found == text or not isinstance(found, str), "what is no list or object stays the text that it is"


DATA = {"version": 2, "data": [{"image": "x.png", "qas": [{"q": 1}, {"q": 2}]}, {"image": "y.png", "qas": [{"q": 3}]}]}


@pytest.mark.parametrize(
    ("content", "rows", "expected"),
    [
        ([{"q": 1}], None, [{"q": 1}]),
        ({"data": [{"q": 1}]}, None, [{"q": 1}]),
        ({"info": {}, "questions": [{"q": 1}]}, "questions", [{"q": 1}]),
        ({"7": {"q": 1}, "8": {"q": 2}}, "*", [{"_key": "7", "q": 1}, {"_key": "8", "q": 2}]),
        ({"data": {"7": {"q": 1}}}, "data.*", [{"_key": "7", "q": 1}]),
        (
            DATA,
            "data.*.qas",
            [{"version": 2, "image": image, "q": q} for image, q in (("x.png", 1), ("x.png", 2), ("y.png", 3))],
        ),
        ({"q": 1}, ".", [{"q": 1}]),
        ({"a": [{"q": 1}], "b": [{"q": 2}]}, "*", [{"_key": "a", "q": 1}, {"_key": "b", "q": 2}]),
        ([{"q": 0, "row": '{"q": 1}'}], "*.row", [{"q": 1}]),
    ],
)
def test_rows_inside_values(content: Any, rows: str | None, expected: list[Any]) -> None:
    assert list(document_rows(content, rows, "x")) == expected


@pytest.mark.parametrize(
    ("content", "rows", "mend"),
    [
        ({"questions": [{"q": 1}], "n": 1}, None, "`rows: questions`"),
        ({"7": {"q": 1}}, None, r"`rows: '\*'`"),
        ({"q": 1, "a": 2}, None, "`rows: .`"),
        ({"questions": [{"q": 1}]}, "question", "`rows: questions`"),
        ([{"q": 1}], "data", "remove `rows`"),
        ("text", None, "write one"),
        ({}, None, "write one"),
    ],
)
def test_where_there_are_no_rows_the_mend_is_told(content: Any, rows: str | None, mend: str) -> None:
    with pytest.raises(UserError, match=mend):
        list(document_rows(content, rows, "x"))


def test_one_row_without_inner_rows_is_refused_alone() -> None:
    found = list(inner_rows({"data": [{"qas": [{"q": 1}]}, {"id": 2}]}, "data.*.qas"))
    assert found[0] == {"q": 1}
    assert isinstance(found[1], RowError)
    assert found[1].reason == "wrong_type"
