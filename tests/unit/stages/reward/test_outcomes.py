"""Verdicts of responses, as rewards want them."""

from __future__ import annotations

import pytest

from pipeline.errors import UserError
from stages.reward.outcomes import Outcomes


def test_answers_are_judged_by_the_verifier() -> None:
    with Outcomes(("number",)) as outcomes:
        assert outcomes.all_correct([("5", "Final answer: 5.0", ""), ("5", "Final answer: 6", "")]) == [True, False]


def test_a_mode_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match="no mode 'maths'"):
        Outcomes(("maths",))
