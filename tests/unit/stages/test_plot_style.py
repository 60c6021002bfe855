"""Plots: names keep apart and stay near, and the same numbers give the same bytes."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from stages.plot_style import Plot, Series, spread


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ([], []),
        ([5], [5]),
        ([0, 100], [0, 100]),
        ([10, 10], [5, 15]),
        ([10, 12, 50], [6, 16, 50]),
        ([12, 10], [16, 6]),
        ([0, 0, 0], [-10, 0, 10]),
    ],
)
def test_names_move_as_little_as_they_must(wanted: list[float], found: list[float]) -> None:
    assert spread(wanted, 10) == pytest.approx(found)


@given(st.lists(st.floats(0, 300), max_size=12))
def test_names_keep_apart_and_in_order(wanted: list[float]) -> None:
    found = spread(wanted, 10)
    assert all(b - a >= 10 - 1e-6 for a, b in zip(sorted(found), sorted(found)[1:], strict=False))
    order = sorted(range(len(wanted)), key=lambda number: wanted[number])
    assert [found[number] for number in order] == sorted(found)


def drawn() -> dict[str, bytes]:
    plot = Plot("Two lines and a base")
    band = Series("above", [1, 2, 3], [5, 6, 7], [4, 5, 6], [6, 7, 8])
    plot.label(0, "all of them", "n", "value")
    plot.lines(0, [band, Series("below", [1, 2, 3], [1, float("nan"), 2]), Series("base", [1, 3], [3, 3], quiet=True)])
    return plot.files("plot")


def test_a_plot_is_a_picture_and_a_drawing_with_the_names_as_text() -> None:
    files = drawn()
    assert list(files) == ["plot.png", "plot.svg"]
    assert Image.open(io.BytesIO(files["plot.png"])).format == "PNG"
    for text in (b"above", b"below", b"base", b"Two lines and a base"):
        assert text in files["plot.svg"]


def test_the_same_numbers_give_the_same_bytes() -> None:
    assert drawn() == drawn()


def test_points_have_names() -> None:
    plot = Plot("Points", panels=2)
    plot.points(1, [(0.1, 0.5, "one"), (0.12, 0.51, "two")])
    assert b"two" in plot.files("p")["p.svg"]
