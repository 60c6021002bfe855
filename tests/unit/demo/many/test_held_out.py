"""Candidates of held-out problems, from a ledger's first steps."""

from __future__ import annotations

from demo.many.held_out import _whole


def test_a_draw_after_the_first_step_is_a_solution_with_it() -> None:
    draws = [
        {"text": "b\n\nFinal answer: 1", "finish_reason": "stop", "verdict": {"status": "correct"}},
        {"text": "c", "finish_reason": "length", "verdict": {"status": "truncated"}},
        {"text": "d", "finish_reason": "stop", "verdict": {"status": "timeout"}},
    ]
    first, last = {"text": "a", "draws": draws}, {"text": "Final answer: 1", "draws": []}
    assert _whole([first, last]) == [
        {"response": "a\n\nb\n\nFinal answer: 1", "correct": True, "finish_reason": "stop"},
        {"response": "a\n\nc", "correct": False, "finish_reason": "length"},
        {"response": "a\n\nd", "correct": None, "finish_reason": "stop"},
    ]
    assert _whole([last]) == []
