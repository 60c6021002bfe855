"""Filters, counts, orders and texts against what a plain loop over the rows says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stages.browse.index import Index
from stages.browse.places import find, open_all
from stages.browse.query import Query, facets, search, select, words
from tests import shards
from tests.unit.stages.browse import places


@pytest.fixture
def index(tmp_path: Path) -> Index:
    rows = [
        {**shards.row(0, 0, [shards.step("Alpha", 16), shards.step("Beta", 1)]), "source": "a"},
        {**shards.row(0, 1, [shards.step("Gamma", 0), shards.step("Delta", 0)]), "source": "a"},
        {
            **shards.row(1, 0, [shards.step("Alpha Gamma", 8), shards.step("x", 0), shards.step("y", None)]),
            "source": "b",
        },
        {**shards.row(2, 0, [shards.step("z", None)]), "source": "c", "response_correct": None},
    ]
    places.write_dataset(tmp_path / "data", rows)
    return open_all(find([str(tmp_path / "data")]))[0].index


def asked(index: Index, link: str) -> Query:
    from urllib.parse import parse_qsl

    return Query.parse(parse_qsl(link), [facet.key for facet in facets(index)])


def found(index: Index, link: str) -> list[int]:
    """The solutions that match."""
    query = asked(index, link)
    text = search(index, query.text) if query.text else None
    return [int(one) for one in np.flatnonzero(select(index, query, facets(index), text).solutions)]


@pytest.mark.parametrize(
    ("link", "matching"),
    [
        ("", [0, 1, 2, 3]),
        ("source=a", [0, 1]),
        ("source=a&source=c", [0, 1, 3]),
        ("pattern=mixed", [2]),
        ("pattern=wrong", [1]),
        ("pattern=right", [0]),
        ("pattern=none", [3]),
        ("first=2", [2]),
        ("score=0", [1, 2]),
        ("score=0.25", [0]),
        ("low=0.01", [0]),
        ("high=0", [1, 2]),
        ("worth=few-successes", [0]),
        ("verdict=unknown", [2, 3]),
        ("q=alpha", [0, 2]),
        ("q=alpha+gamma", [2]),
        ('q="alpha gamma"', [2]),
        ('q="gamma alpha"', []),
        ("q=WHAT+is+1", [2]),
        ("q=is+2%3F", [3]),
        ("q=.*", []),
        ("q=%5C%5BE", []),
        ("source=b&pattern=wrong", []),
        ("source=nowhere", []),
    ],
)
def test_a_link_finds_what_it_says(index: Index, link: str, matching: list[int]) -> None:
    assert found(index, link) == matching


def test_beside_a_filter_stands_what_it_would_leave(index: Index) -> None:
    known = facets(index)
    selection = select(index, asked(index, "source=a"), known)
    source = next(facet for facet in known if facet.key == "source")
    assert dict(zip([key for key, _ in source.values], selection.counts["source"], strict=True)) == {
        "a": 2,
        "b": 1,
        "c": 1,
    }
    assert list(selection.counts["pattern"]) == [1, 0, 1, 0]


@pytest.mark.parametrize(
    ("sort", "order"),
    [("", [0, 1, 2]), ("lowest", [0, 1, 2]), ("early", [0, 1, 2]), ("long", [1, 0, 2]), ("short", [2, 0, 1])],
)
def test_problems_come_in_the_order_asked_for(index: Index, sort: str, order: list[int]) -> None:
    assert list(select(index, Query(sort=sort), facets(index)).problems) == order


def test_an_address_gives_the_query_back(index: Index) -> None:
    link = "source=a&source=b&worth=few-successes&q=%22x+y%22&low=0.5&sort=lowest&page=3"
    assert asked(index, link).address() == "?" + link
    assert asked(index, "sort=nonsense&page=-1&low=nan&high=x&other=1").address() == ""


def test_a_value_is_added_and_taken_away(index: Index) -> None:
    query = asked(index, "source=a&page=2")
    assert query.toggled("source", "b").address() == "?source=a&source=b"
    assert query.toggled("source", "a").address() == ""


def test_quotes_hold_words_together() -> None:
    assert words('One "Two  three" four') == ["one", "two  three", "four"]
    assert words('"open') == ["open"]
    assert words('""') == []
