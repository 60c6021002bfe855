from __future__ import annotations

import asyncio

import pytest

from pipeline.records import References, Verdict, VerdictStatus
from stages.verify.judge import judge
from stages.verify.references import begin_each


class Begun:
    """Judges at once, and remembers against what."""

    def __init__(self, answer: str, late: str = "") -> None:
        self.answer, self.late, self.golds = answer, late, list[str]()

    async def _said(self, gold: str) -> Verdict:
        if gold == self.late:
            return Verdict("timeout", self.answer, "math", "late")
        return judge(gold, f"Final answer: {self.answer}", ("text", "number"))

    def __call__(self, gold: str) -> asyncio.Future[Verdict]:
        self.golds.append(gold)
        return asyncio.ensure_future(self._said(gold))


def verdict(begun: Begun, references: References | None, gold: str = "red") -> Verdict:
    async def run() -> Verdict:
        return await begin_each(gold, references, begun)

    return asyncio.run(run())


TEN = ("red",) * 5 + ("dark red",) * 3 + ("pink", "maroon")


@pytest.mark.parametrize(
    ("answer", "at_least", "status"),
    [
        ("Red", 3, "correct"),
        ("dark red", 3, "correct"),
        ("pink", 3, "incorrect"),
        ("pink", 1, "correct"),
        ("green", 1, "incorrect"),
    ],
)
def test_as_many_references_as_are_asked_for(answer: str, at_least: int, status: VerdictStatus) -> None:
    assert verdict(Begun(answer), References(TEN, at_least)).status == status


def test_references_that_say_the_same_count_together() -> None:
    assert verdict(Begun("2"), References(("2", "two", "3"), 2)).reason == "equals 2 of 3 references: same text"


def test_each_reference_is_judged_once_the_most_frequent_first() -> None:
    begun = Begun("red")
    verdict(begun, References(TEN, 3))
    assert begun.golds == ["red", "dark red", "pink", "maroon"]
    single = Begun("red")
    assert verdict(single, None).status == "correct"
    assert single.golds == ["red"]


def test_a_late_reference_leaves_open_what_it_could_decide() -> None:
    assert verdict(Begun("pink", late="red"), References(TEN, 3)).status == "timeout"
    assert verdict(Begun("dark red", late="red"), References(TEN, 3)).status == "correct"
    assert verdict(Begun("green", late="pink"), References(TEN, 3)).status == "incorrect"
