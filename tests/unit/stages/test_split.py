"""Splitting loses nothing, merges evenly and finds the tokens of every step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import SEPARATOR
from stages.split import boundaries, spans, split

TEXTS = st.text(alphabet=st.sampled_from("ab.\n\n\n 七😀"), max_size=60)


@given(TEXTS, st.integers(1, 14))
def test_steps_rejoin_to_the_text(text: str, max_steps: int) -> None:
    steps = split(text, max_steps)
    assert SEPARATOR.join(steps) == text
    assert 1 <= len(steps) <= max_steps
    assert boundaries(steps)[-1] == len(text)


@given(TEXTS.filter(str.strip))
def test_no_step_is_blank(text: str) -> None:
    assert all(step.strip() for step in split(text, 100))


@pytest.mark.parametrize(
    ("pieces", "max_steps", "steps"), [(12, 12, 12), (13, 12, 7), (24, 12, 12), (25, 12, 9), (33, 16, 11)]
)
def test_merging_follows_the_reference(pieces: int, max_steps: int, steps: int) -> None:
    assert len(split("\n\n".join("x" * pieces), max_steps)) == steps


@given(TEXTS, st.integers(1, 14), st.data())
def test_spans_tile_the_tokens(text: str, max_steps: int, data: st.DataObject) -> None:
    lengths, left = [], len(text)
    while left:
        lengths.append(data.draw(st.integers(1, min(4, left))))
        left -= lengths[-1]
    ends = [sum(lengths[: i + 1]) for i in range(len(lengths))]
    steps = split(text, max_steps)
    found = spans(steps, ends)
    assert [span.start for span in found[1:]] == [span.end for span in found[:-1]]
    assert found[0].start == 0
    assert found[-1].end == len(ends)
    for span, offset in zip(found, boundaries(steps), strict=True):
        reached = ends[span.end - 1] if span.end else 0
        assert reached == offset if span.exact else reached < offset


def test_a_token_that_holds_the_next_step_too() -> None:
    steps = split("ab.\n\ncd", 12)
    ends = [2, 6, 7]  # "ab", ".\n\nc", "d"
    first, second = spans(steps, ends)
    assert (first.start, first.end, first.exact) == (0, 1, False)
    assert (second.start, second.end, second.exact) == (1, 3, True)


def test_a_separator_token_is_part_of_its_step() -> None:
    first, second = spans(split("ab.\n\ncd", 12), [2, 5, 7])  # "ab", ".\n\n", "cd"
    assert (first.start, first.end, first.exact) == (0, 2, True)
    assert (second.start, second.end) == (2, 3)
