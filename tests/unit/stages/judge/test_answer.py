"""What a judge is asked to write, and what is read of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine.scripted_json import json_text
from stages.judge.answer import answer_schema, longest, read_answer


@given(st.integers(1, 12), st.integers(0, 40), st.integers(0, 1 << 48))
def test_whatever_fits_the_schema_is_read_and_is_no_longer_than_the_longest(steps: int, reason: int, seed: int) -> None:
    text = json_text(answer_schema(steps, reason), seed)
    found = read_answer(text, steps, reason)
    assert not isinstance(found, str)
    assert len(found) == steps
    assert len(text) <= longest(steps, reason)
    assert all((one.reason is None) == (reason == 0) for one in found)


@given(st.integers(1, 3), st.text(max_size=30))
def test_the_longest_answer_holds_any_reason_of_ascii(steps: int, text: str) -> None:
    reason = text.encode("ascii", "ignore").decode()
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in reason):
        # Control characters are spelt with six letters; no reason needs them.
        return
    step = {"reason": reason, "verdict": "incorrect", "category": "unsupported"}
    assert len(json.dumps({"steps": [step] * steps})) <= longest(steps, max(1, len(reason)))


GOOD = {"verdict": "correct", "category": "none", "reason": "it is"}


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ('{"steps": [{"verdict": "corr', "no_json"),
        ("[]", "other_form"),
        ({"steps": [GOOD]}, "other_form"),
        ({"steps": [GOOD, GOOD, GOOD]}, "other_form"),
        ({"steps": [GOOD, {**GOOD, "verdict": "right"}]}, "other_form"),
        ({"steps": [GOOD, {**GOOD, "category": None}]}, "other_form"),
        ({"steps": [GOOD, {**GOOD, "reason": "x" * 11}]}, "other_form"),
        ({"steps": [GOOD, {"verdict": "correct", "category": "none"}]}, "other_form"),
        ({"steps": [GOOD, "correct"]}, "other_form"),
    ],
)
def test_nothing_is_guessed_of_an_answer_of_another_form(answer: object, why: str) -> None:
    assert read_answer(answer if isinstance(answer, str) else json.dumps(answer), 2, 10) == why
