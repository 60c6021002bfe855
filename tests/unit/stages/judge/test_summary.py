"""What a ledger of judgements comes to: the cost of all, or none where that of some is not known."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.judge.answer import Opinion
from stages.judge.records import JudgedSolution, Vote
from stages.judge.summary import summed_up
from tests.unit.stages.judge.test_verdicts import judgement, ledger


@pytest.mark.parametrize(
    ("costs", "total"), [((0.5, 0.25), 0.75), ((0.5, None), None), ((None, None), None), ((0.0, 0.0), 0.0)]
)
def test_a_cost_is_that_of_all(tmp_path: Path, costs: tuple[float | None, float | None], total: float | None) -> None:
    vote = Vote(1, 9, None, (Opinion("correct", "none"),))
    rows = [
        {
            **judgement(f"p{number}", [JudgedSolution(f"p{number}/k/s0", 1, [vote, Vote(2, 5, "cut", None)])]),
            "cost": cost,
        }
        for number, cost in enumerate(costs)
    ]
    found = summed_up(ledger(tmp_path, rows))
    assert found.cost == total
    assert ("· cost " in found.text()) is (total is not None)
    assert (found.problems, found.votes, dict(found.unread)) == (2, 4, {"cut": 2})
