"""Spans of steps, against the text that they are of."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from pipeline.records import SEPARATOR
from stages.reward.server.wire import spans_of
from stages.split import split


@given(st.text("ab \n", max_size=40), st.integers(1, 6))
def test_a_span_is_its_step_in_the_response(text: str, most: int) -> None:
    steps = split(text, most)
    spans = spans_of(steps)
    assert [text[start:end] for start, end in spans] == steps
    assert all(after[0] - before[1] == len(SEPARATOR) for before, after in itertools.pairwise(spans))


def test_an_empty_last_step_has_an_empty_span() -> None:
    assert spans_of(["a", ""]) == [(0, 1), (3, 3)]
