"""Options of a row: what each is, whether the policy sees it, and which picture belongs where."""

from __future__ import annotations

import io
from typing import Any

import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RowError
from pipeline.records import IMAGE, asked
from stages.load.sources.options import Options, check_shown, place_images, read_options


def png(red: int) -> bytes:
    out = io.BytesIO()
    PIL.Image.new("RGB", (8, 8), (red, 0, 0)).save(out, "PNG")
    return out.getvalue()


def test_a_gap_in_a_table_is_no_option_called_nan() -> None:
    with pytest.raises(RowError, match="NaN"):
        read_options(["x", float("nan")])


@pytest.mark.parametrize(
    ("value", "texts", "pictures"),
    [
        (["x", 2], ("x", "2"), []),
        (["", " "], ("", ""), []),
        (["<image>", "none"], ("<image>", "none"), []),
        (["a.png", "b.JPG"], ("<image>", "<image>"), [0, 1]),
        ([{"bytes": b"1", "path": None}, {"path": "a.png"}, "none"], ("<image>", "<image>", "none"), [0, 1]),
        ([b"1", "text"], ("<image>", "text"), [0]),
        (["data:image/png;base64,AAAA", "text"], ("<image>", "text"), [0]),
        ({"A": "x", "B": "b.png", "C": None}, ("x", "<image>"), [1]),
        ({"A": "x", "B": "y", "C": float("nan")}, ("x", "y"), []),
        ('["x", "y"]', ("x", "y"), []),
        (["see b.png", "3.5 cm"], ("see b.png", "3.5 cm"), []),
    ],
)
def test_what_an_option_is(value: Any, texts: tuple[str, ...], pictures: list[int]) -> None:
    found = read_options(value)
    assert found.texts == texts
    assert [index for index, _ in found.pictures] == pictures


IMAGES = [b"one", b"two", b"three", b"four"]


@pytest.mark.parametrize(
    ("question", "texts", "count", "shown", "order"),
    [
        ("Q", (), 2, "Q", "12"),
        ("Q <image>", (), 1, "Q <image>", "1"),
        ("Q <image 1> and <image_2>", (), 2, "Q <image> and <image>", "12"),
        ("Q <image2> and <image1>", (), 2, "Q <image> and <image>", "21"),
        ("Q <image 1>, again <image 1>", (), 1, "Q <image>, again <image>", "11"),
        ("Q", ("<image>", "<image>"), 2, "Q\nA. <image>\nB. <image>", "12"),
        ("Q", ("<image>", "<image>"), 3, "<image>\nQ\nA. <image>\nB. <image>", "123"),
        ("Q <image>?", ("<image>", "<image>"), 3, "Q <image>?\nA. <image>\nB. <image>", "123"),
        ("Q", ("<image 2>", "<image 1>"), 2, "Q\nA. <image>\nB. <image>", "21"),
        ("Q <image 3>?", ("<image 1>", "<image 2>", "none"), 3, "Q <image>?\nA. <image>\nB. <image>\nC. none", "312"),
        ("Q\nA. <image>\nB. <image>", ("<image>", "<image>"), 2, "Q\nA. <image>\nB. <image>", "12"),
        ("Q\nA. <image 2>\nB. <image 1>", ("<image 2>", "<image 1>"), 2, "Q\nA. <image>\nB. <image>", "21"),
    ],
)
def test_images_stand_where_they_are_shown(
    question: str, texts: tuple[str, ...], count: int, shown: str, order: str
) -> None:
    placed, options, images = place_images(question, Options(texts), IMAGES[:count], [])
    assert asked(placed, options) == shown
    assert list(images) == [IMAGES[int(number) - 1] for number in order]


def test_pictures_of_options_stand_after_the_question_s_own() -> None:
    options = Options((IMAGE, "none", IMAGE), ((0, "a"), (2, "c")))
    placed, texts, images = place_images("Q", options, [b"own"], [b"a", b"c"])
    assert asked(placed, texts) == "<image>\nQ\nA. <image>\nB. none\nC. <image>"
    assert images == (b"own", b"a", b"c")
    placed, texts, images = place_images("Q <image 2> <image 1>", options, [b"1", b"2"], [b"a", b"c"])
    assert asked(placed, texts) == "Q <image> <image>\nA. <image>\nB. none\nC. <image>"
    assert images == (b"2", b"1", b"a", b"c")


@pytest.mark.parametrize(
    ("question", "texts", "count", "reason"),
    [
        ("Q <image 3>", (), 2, "unknown_image"),
        ("Q <image 1>", (), 0, "unknown_image"),
        ("Q <image 0>", (), 1, "unknown_image"),
        ("Q <image 1>", (), 2, "image_placeholder_mismatch"),
        ("Q <image 1> <image>", (), 2, "image_placeholder_mismatch"),
        ("Q", ("<image>", "<image>"), 1, "image_placeholder_mismatch"),
        ("Q <image>", ("<image>", "<image>"), 2, "image_placeholder_mismatch"),
        ("Q <image>", ("<image>", "<image>"), 4, "image_placeholder_mismatch"),
    ],
)
def test_images_that_have_no_place(question: str, texts: tuple[str, ...], count: int, reason: str) -> None:
    with pytest.raises(RowError) as error:
        place_images(question, Options(texts), IMAGES[:count], [])
    assert error.value.reason == reason


PIECE = st.sampled_from(["", "text", "<image>", "<image 1>", "<image2>", "a <image> b"])


@given(st.lists(PIECE, max_size=4).map(" ".join), st.lists(PIECE, max_size=4).map(tuple), st.integers(0, 4))
def test_every_placeholder_has_its_image(question: str, texts: tuple[str, ...], count: int) -> None:
    """What the policy, a critic and an export see: no placeholder at all, or one for each image; none is numbered."""
    try:
        placed, options, images = place_images(question, Options(texts), IMAGES[:count], [])
    except RowError:
        return
    shown = asked(placed, options)
    assert shown.count(IMAGE) in (0, len(images))
    assert "<image1>" not in shown.replace(" ", "")
    assert set(IMAGES[:count]) == set(images)


@pytest.mark.parametrize(
    ("rest", "mend"),
    [
        ({"choices": ["3", "4"]}, "{options: choices}"),
        ({"Options": '["3", "4"]'}, "{options: Options}"),
        ({"choices": {"A": "3", "B": "4"}}, "{options: choices}"),
        ({"A": "3", "B": "4", "C": None}, "{options: [A, B]}"),
    ],
)
def test_options_that_the_policy_would_not_see(rest: dict[str, Any], mend: str) -> None:
    with pytest.raises(RowError, match="options_not_shown") as error:
        check_shown("Which?", Options(), rest)
    assert mend in error.value.detail


@pytest.mark.parametrize(
    "rest",
    [
        {"choices": None},
        {"choices": []},
        {"choices": ["3"]},
        {"A": "3", "B": ""},
        {"labels": ["3", "4"]},
        {"choices": [{}, {}]},
    ],
)
def test_columns_that_hold_no_options(rest: dict[str, Any]) -> None:
    check_shown("Which?", Options(), rest)
    with pytest.raises(RowError, match="options_not_shown"):
        check_shown("Which?", Options(), {**rest, "Options": ["3", "4"]})


def test_options_that_the_question_lists_are_shown() -> None:
    check_shown("Which? (A) 3 (B) 4", Options(), {"choices": ["3", "4"]})
    check_shown("Which?", Options(("3", "4")), {"choices": ["x", "y"]})
    with pytest.raises(RowError, match="options_not_shown"):
        check_shown("Which? (A) 3 (B)", Options(), {"choices": ["3", "4"]})
