"""Answers that say the same are one group, whatever the order in which they came."""

from __future__ import annotations

import asyncio
from collections import Counter
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from stages.best_of_n.answers import group_answers


async def same_value(first: str, second: str) -> bool:
    return Fraction(first) == Fraction(second)


def groups(answers: list[str | None]) -> tuple[int | None, ...]:
    return asyncio.run(group_answers(answers, str.strip, same_value))


def test_equal_values_share_a_group_and_the_largest_is_0() -> None:
    assert groups(["1/2", None, " 3", "0.5", "2/4", "3"]) == (0, None, 1, 0, 0, 1)


def test_without_answers_there_are_no_groups() -> None:
    assert groups([None, None]) == (None, None)


@given(st.lists(st.none() | st.sampled_from(["1/2", "0.5", " 0.5", "2/4", "1", "1.0", "7"]), max_size=12), st.randoms())
def test_the_order_of_candidates_changes_nothing(answers: list[str | None], random) -> None:  # type: ignore[no-untyped-def]
    order = list(range(len(answers)))
    random.shuffle(order)
    straight = groups(answers)
    shuffled = groups([answers[i] for i in order])
    partition = {frozenset(i for i, g in enumerate(straight) if g == group) for group in set(straight) - {None}}
    again = {frozenset(order[i] for i, g in enumerate(shuffled) if g == group) for group in set(shuffled) - {None}}
    assert partition == again
    for members in partition:
        assert len({Fraction(answers[i].strip()) for i in members}) == 1  # type: ignore[union-attr]
    sizes = Counter(g for g in straight if g is not None)
    assert [sizes[g] for g in sorted(sizes)] == sorted(sizes.values(), reverse=True)
