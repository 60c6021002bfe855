"""The demo's section of the card."""

from __future__ import annotations

from demo.checks.report import _judged_by
from pipeline.records import Draw, Solution, Step, Verdict


def solution(draws: tuple[Draw, ...], more: tuple[Draw, ...]) -> Solution:
    steps = (Step("a", 0, 1, True, draws), Step("b", 1, 2, True, more))
    return Solution("p/k/s0", "a\n\nb", (1, 2), "stop", 0, Verdict("correct"), steps)


def test_draws_keep_their_texts_and_have_the_published_verdicts() -> None:
    own = Draw((1,), "so 4", "stop", 7, Verdict("correct"))
    judged = Draw((), "", "stop", 7, Verdict("incorrect"))
    first, second = _judged_by(solution((own,), (own,)), solution((judged,), ())).steps
    assert [(draw.text, draw.verdict.status) for draw in first.draws] == [("so 4", "incorrect")]
    assert second.draws == ()
