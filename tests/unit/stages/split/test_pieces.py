"""What must not be cut, and the pieces between cuts."""

import time

import pytest

from stages.split.pieces import Place, between, closed


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("a $x. y$ b", ["$x. y$"]),
        ("it costs $5 and $6 a day", []),
        ("it costs $5", []),
        (r"\$5 and $x$", ["$x$"]),
        ("$$\na\n\nb\n$$ c", ["$$\na\n\nb\n$$"]),
        (r"\[ a \] and \( b \)", [r"\[ a \]", r"\( b \)"]),
        (r"\begin{a}\begin{b} \end{b}\end{a}", [r"\begin{a}\begin{b} \end{b}\end{a}"]),
        (r"\begin{a} $x$ and \[ open", ["$x$"]),
        ("`a. b` and ` alone", ["`a. b`"]),
        ("```\na\n\n`b`\n```\nc", ["```\na\n\n`b`\n```"]),
        ("~~~~\na\n~~~\nb\n~~~~", ["~~~~\na\n~~~\nb\n~~~~"]),
        ("a\n```\nnever\n\nclosed", ["```\nnever\n\nclosed"]),
        ("not at the start ```\na", []),
        ("$a\nb$", []),
    ],
)
def test_formulas_and_code(text: str, inside: list[str]) -> None:
    assert [text[place.start : place.end] for place in closed(text)] == inside


def test_cuts_inside_what_is_closed_are_none() -> None:
    text = "a $b c$ d"
    assert between(text, range(len(text))) == [Place(0, 1), Place(2, 7), Place(8, 9)]
    assert between(text, [4, 0, 99, -1]) == [Place(0, len(text))]


def test_white_space_at_the_edges_belongs_to_the_first_and_the_last_piece() -> None:
    assert between("  a  b ", [5, 3]) == [Place(0, 3), Place(5, 7)]
    assert between(" \n ", [1]) == [Place(0, 3)]
    assert between("", []) == [Place(0, 0)]


@pytest.mark.parametrize("sign", ["$$", "\\[", "\\begin{x}", "$", "`", "```\n"])
def test_signs_that_nothing_closes_take_no_time(sign: str) -> None:
    """A text may come from anybody: with a search to its end for each sign this took minutes."""
    began = time.process_time()
    closed((sign + "a ") * 20_001)
    assert time.process_time() - began < 5
