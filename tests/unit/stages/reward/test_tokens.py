"""Where steps end among tokens, against the text of the tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.reward.server.wire import spans_of
from stages.reward.tokens import last_tokens, on_tokens, token_ends
from stages.split import split
from tests.families import byte_tokenizer


@given(st.text("ab\n é", min_size=1, max_size=30), st.integers(1, 5))
def test_a_step_ends_in_the_token_that_completes_its_text(text: str, most: int) -> None:
    tokenizer = byte_tokenizer()
    ids = tokenizer.encode(text, add_special_tokens=False)
    ends = token_ends(tokenizer, ids)
    assert ends[-1] == len(text)
    steps = split(text, most)
    spans = spans_of(steps)
    for (_, end), token in zip(spans, last_tokens(spans, ends), strict=True):
        assert ends[token] >= end
        assert token == 0 or ends[token - 1] < max(end, 1)


def test_special_tokens_have_no_text() -> None:
    tokenizer = byte_tokenizer()
    ids = [*tokenizer.encode("ab", add_special_tokens=False), tokenizer.eos_token_id]
    assert token_ends(tokenizer, ids) == [1, 2, 2]


def test_step_scores_stand_where_steps_end() -> None:
    assert on_tokens([0.5, 0.25], [(0, 2), (4, 6)], [1, 2, 3, 4, 5, 6, 6]) == [0, 0.5, 0, 0, 0, 0.25, 0]
    # One token holds the ends of both steps.
    assert on_tokens([0.5, 0.25], [(0, 1), (3, 4)], [5, 6]) == [0.75, 0]
    with pytest.raises(ValueError, match="3 characters, the last step ends at 6"):
        on_tokens([0.5], [(0, 6)], [1, 3])
