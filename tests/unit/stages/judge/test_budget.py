"""What judging costs, and when it ends: not before what was under way is committed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pipeline.errors import UserError
from stages.judge.budget import COMMITTED_S, Look, Spent, check_budget, within_budget
from stages.judge.config import JudgingConfig

PRICED: dict[str, Any] = {"price": (2.0, 10.0)}


@pytest.mark.parametrize(
    ("settings", "read", "written", "over"),
    [
        ({}, 10**9, 10**9, False),
        ({"budget": 1000}, 600, 399, False),
        ({"budget": 1000}, 600, 400, True),
        # A million read at 2, half a million written at 10.
        ({**PRICED, "budget": 7.01}, 10**6, 5 * 10**5, False),
        ({**PRICED, "budget": 7}, 10**6, 5 * 10**5, True),
    ],
)
def test_a_budget_is_of_tokens_or_of_money(settings: dict[str, Any], read: int, written: int, over: bool) -> None:
    assert Spent(read, written).is_all(JudgingConfig(**settings)) is over


def test_without_a_price_there_is_no_cost() -> None:
    assert Spent(1, 1).cost(JudgingConfig()) is None
    assert Spent(10**6, 10**5).cost(JudgingConfig(**PRICED)) == 3.0
    assert Spent(1, 2) + Spent.of_engines([{"read": 10, "tokens": 20}, {"tokens": 5}]) == Spent(11, 27)


class FakeStore:
    """Problems of which some are committed, and what one engine wrote last."""

    uri = "runs/x/judgements/anna"

    def __init__(self) -> None:
        self.done, self.row = 3, {"read": 0, "tokens": 0, "problems": 0, "begun": ["p9"]}

    def progress(self) -> list[dict[str, Any]]:
        return [self.row]

    def done_ids(self) -> set[str]:
        return {f"p{number}" for number in range(self.done)}

    def problem_ids(self) -> set[str]:
        return {f"p{number}" for number in range(10)}


def test_a_run_ends_when_what_was_under_way_is_committed() -> None:
    store, now, ended = FakeStore(), [0.0], list[Exception]()
    fake: Any = store
    look = Look(fake, JudgingConfig(budget=100), Spent(40, 10), done=3, clock=lambda: now[0])
    assert not look(ended.append)
    store.row = {"read": 30, "tokens": 25, "problems": 2, "begun": ["p9"]}
    assert not look(ended.append), "an answer is still awaited"
    store.row = {**store.row, "tokens": 45, "problems": 3, "begun": []}
    store.done = 5
    assert not look(ended.append), "the last block is not committed yet"
    store.done = 6
    assert look(ended.append)
    assert str(ended[0]) == (
        "runs/x/judgements/anna: judge.budget=100 is spent (125 tokens): 6 of 10 problems are judged; the same command "
        "with a larger judge.budget goes on"
    )


def test_what_is_never_committed_is_not_waited_for_for_ever() -> None:
    store, now, ended = FakeStore(), [0.0], list[Exception]()
    fake: Any = store
    look = Look(fake, JudgingConfig(budget=1, **PRICED), Spent(10**6, 0), done=3, clock=lambda: now[0])
    store.row = {"read": 0, "tokens": 0, "problems": 1, "begun": []}
    assert not look(ended.append)
    now[0] = COMMITTED_S
    assert look(ended.append)
    assert "is spent (1,000,000 tokens, 2.00)" in str(ended[0])


def test_what_is_spent_already_ends_before_anything_starts() -> None:
    fake: Any = FakeStore()
    check_budget(fake, JudgingConfig(budget=10), Spent(5, 4))
    with pytest.raises(UserError, match=r"judge\.budget=10 is spent \(10 tokens\): 3 of 10"):
        check_budget(fake, JudgingConfig(budget=10), Spent(5, 5))


def test_outside_the_main_thread_a_budget_is_refused() -> None:
    fake: Any = FakeStore()

    def judged(budget: float | None) -> None:
        with within_budget(fake, JudgingConfig(budget=budget), Spent()):
            pass

    with ThreadPoolExecutor(1) as pool:
        pool.submit(judged, None).result()
        with pytest.raises(UserError, match=r"judge\.budget: only in the main thread"):
            pool.submit(judged, 10.0).result()


def test_price_and_budget_are_no_part_of_what_is_asked() -> None:
    plain = JudgingConfig().asked
    assert JudgingConfig(budget=10, **PRICED).asked == plain
    assert "votes" in plain
