"""Formulas, groups of draws, pictures: values in, values out."""

from __future__ import annotations

import io

import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.browse import pictures
from stages.browse.collection import DrawView
from stages.browse.draws import groups, shared
from stages.browse.formulas import mathml, shortened, to_html
from stages.browse.pages import short
from tests.shards import picture


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a < b & c", "a &lt; b &amp; c"),
        ("costs $5 and $6", "costs $5 and $6"),
        ("\\$5 is \\$5", "\\$5 is \\$5"),
        ("open $x", "open $x"),
    ],
)
def test_what_is_no_formula_stays_text(text: str, html: str) -> None:
    assert to_html(text) == html


@given(st.integers(0, 10**11))
def test_a_count_has_at_most_four_characters_and_is_right_to_five_in_a_hundred(count: int) -> None:
    text = short(count)
    assert len(text) <= 4
    sizes = {"k": 1e3, "M": 1e6, "G": 1e9}
    value = float(text[:-1]) * sizes[text[-1]] if text[-1] in sizes else float(text)
    assert value == pytest.approx(count, rel=0.05)


@pytest.mark.parametrize("text", ["$x^2$", "\\(x^2\\)", "\\[x^2\\]", "$$x^2$$", "so \\boxed{7} it is"])
def test_formulas_become_mathml(text: str) -> None:
    assert "<math" in to_html(text)


def test_only_known_elements_come_through() -> None:
    assert "<mo>&lt;</mo>" in str(mathml("a<b"))
    assert "<script" not in str(mathml("\\text{<script>alert(1)</script>}"))
    assert "href" not in str(mathml("\\href{javascript:alert(1)}{x}"))
    assert "red" not in str(mathml("\\color{red}{x}"))


def test_a_formula_too_long_or_too_deep_is_text() -> None:
    assert mathml("x" * 601) is None
    assert mathml("{" * 21 + "x" + "}" * 21) is None


@given(st.text(alphabet='ab$\\{}()[]<>&"^_ \n', max_size=60))
def test_no_text_breaks_out(text: str) -> None:
    assert "<script" not in to_html(f"{text}<script>")


def test_a_long_text_says_what_is_left_out() -> None:
    assert shortened("x" * 5000) == ("x" * 4000, 1000)


def drawn(text: str, answer: str | None, status: str = "correct") -> DrawView:
    return DrawView(text, status, answer, "number", None, 3, False)


def test_draws_are_grouped_largest_first() -> None:
    made = groups([drawn("it is 54", "54", "incorrect"), *[drawn("it is 56", "56")] * 3, drawn("it was 56", "56")])
    assert [(one.count, one.answer, one.status) for one in made] == [(4, "56", "correct"), (1, "54", "incorrect")]
    assert [(text.times, text.shared) for text in made[0].texts] == [(3, 6), (1, 3)]
    assert groups([]) == []


@pytest.mark.parametrize(
    ("one", "other", "length"),
    [
        ("abc def", "abc dex", 4),
        ("abc", "abc", 3),
        ("ab", "abc", 0),
        ("a b", "a b c", 3),
        ("", "x", 0),
        ("a.", "a!", 1),
    ],
)
def test_two_texts_part_at_a_word(one: str, other: str, length: int) -> None:
    assert shared(one, other) == shared(other, one) == length


def encoded(mode: str, kind: str, size: tuple[int, int] = (50, 20)) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.new(mode, size).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (picture(1), "image/png"),
        (encoded("RGB", "JPEG"), "image/jpeg"),
        (encoded("RGB", "BMP"), "image/png"),
        (encoded("CMYK", "TIFF"), "image/png"),
        (b"GIF89a<script>", "image/svg+xml"),
        (b"<svg onload='x'/>", "image/svg+xml"),
        (b"", "image/svg+xml"),
    ],
)
def test_a_picture_is_looked_at_before_it_is_served(data: bytes, kind: str) -> None:
    found, said = pictures.whole(data)
    assert said == kind
    assert b"onload" not in found


def test_a_huge_picture_is_not_decoded() -> None:
    found, kind = pictures.whole(encoded("1", "PNG", (12_000, 9_000)))
    assert kind == "image/svg+xml"
    assert "12000×9000" in found.decode()


def test_a_small_one_keeps_its_shape() -> None:
    found, kind = pictures.small(encoded("RGBA", "PNG", (1000, 500)))
    assert kind == "image/webp"
    assert PIL.Image.open(io.BytesIO(found)).size == (320, 160)
