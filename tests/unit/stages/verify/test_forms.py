from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.verify.brackets import read_items
from stages.verify.forms import compare


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (r"[3, \infty)", "x \\ge 3"),
        ("(2, 5]", "2 < t \\leq 5"),
        (r"(-\infty,1)\cup(4,\infty)", "x>4 or x<1"),
        (r"\mathbb{R} \setminus \{0\}", "x \\neq 0"),
        (r"\{y \mid y < 7\}", r"(-\infty, 7)"),
        ("|z| > 2", "z < -2 or z > 2"),
        ("r > s > q", "q < s < r"),
        ("2x > 10", "x > 5"),
        ("2x+3y=6", "y = 2 - 2x/3"),
        ("V = IR", "V = RI"),
        ("41", "p+q=41"),
        ("3x-2", "g(x)=3x-2"),
        ("a=3, b=4", "b=4, a=3"),
        ("a=3, b=4", "(3,4)"),
        ("p=1,q=2; p=3,q=4", "(1,2),(3,4)"),
        (r"\pm 7", "7, -7"),
        (r"(\pm 2, 1)", "(2,1) and (-2,1)"),
        (r"\{b, a\}", r"\{a, b\}"),
        ("300,400,500", "300, 400, 500"),
        ("9, 9", "9"),
        (r"\begin{pmatrix}1&x\\0&2\end{pmatrix}", r"\begin{bmatrix}1&x\\0&\frac{4}{2}\end{bmatrix}"),
        ("4:6:10", "2:3:5"),
        ("5 to 8", "5:8"),
        ("77_8", "(77)_{8}"),
        ("77_8", "77"),
        ("1A_{16}", "1a_{16}"),
        (r"\emptyset", "no solution"),
        ("4 cm, 6 cm", "60 mm, 40 mm"),
        ("Q(1, 2)", "(1,2)"),
    ],
)
def test_equal(gold: str, answer: str) -> None:
    assert compare(gold, answer) is True


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (r"[3, \infty)", "x > 3"),
        ("(2, 5]", "2 \\le t < 5"),
        ("x > 0", "y > 0"),
        ("r > s", "s > r"),
        ("V = IR", "V = Ir"),
        ("5", "2x + z = 5"),
        ("0", "x + y = 0"),
        ("x = 5", "y = 5"),
        ("a=3, b=4", "(4,3)"),
        (r"\pm 7", "7"),
        ("(1, 2)", "[1, 2]"),
        ("(0, 0)", "0"),
        (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}1&2\end{pmatrix}"),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{vmatrix}1&2\\3&4\end{vmatrix}"),
        ("4:6:10", "2:5:3"),
        ("12:00", "1:00"),
        ("10:20", "5:10"),
        ("77_8", "77_9"),
        ("77", "77_8"),
        ("63", "77_8"),
        (r"\emptyset", "0"),
        (r"\infty", r"-\infty"),
        ("Q(1, 2)", "P(1,2)"),
    ],
)
def test_not_equal(gold: str, answer: str) -> None:
    assert not compare(gold, answer)


@pytest.mark.parametrize("text", ["red cube", "the cat is on the mat", "dogs chase cats and mice"])
def test_prose_is_never_equal_to_other_prose(text: str) -> None:
    assert not compare("5", text)
    assert not compare("mice and dogs chase cats", text)


@given(st.lists(st.integers(-99, 99), min_size=2, max_size=8, unique=True))
def test_a_set_has_no_order_and_a_tuple_has_one(numbers: list[int]) -> None:
    there, back = (", ".join(map(str, each)) for each in (numbers, numbers[::-1]))
    assert compare(there, back) is True
    assert compare(f"\\{{{there}\\}}", f"\\{{{back}\\}}") is True
    assert compare(f"({there})", f"({back})") is False


@given(st.text(max_size=120))
def test_the_parts_of_any_text(text: str) -> None:
    items = read_items(text)
    assert len(items.parts) >= (1 if text.strip(" ,;、&") and not text.isspace() else 0) or not any(
        map(str.isalnum, text)
    )
