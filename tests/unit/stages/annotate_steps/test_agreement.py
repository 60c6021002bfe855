"""Shares, agreement, what people say together: literal values."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.annotate_steps.agreement import agreement, alpha, disagreements, together
from stages.annotate_steps.labels import Entry
from stages.annotate_steps.shares import share_of, shares
from stages.metrics import wilson

NAMES = {"c": "correct", "i": "incorrect", "n": "neutral"}


def said(*labels: str) -> Mapping[tuple[str, int], Mapping[str, Entry]]:
    """`"ci"`: Ann says correct, Bo incorrect; `.` says nothing."""
    return {
        ("t", step): {
            name: Entry("t", step, NAMES[letter], name, "s", 0)  # type: ignore[arg-type]
            for name, letter in zip(("Ann", "Bo", "Cy"), letters, strict=False)
            if letter != "."
        }
        for step, letters in enumerate(labels)
    }


def by_hand(units: list[str]) -> float:
    """Krippendorff's α of nominal data by its definition: 1 − observed over expected disagreement."""
    values = [letter for unit in units if len(unit) > 1 for letter in unit]
    total = len(values)
    observed = sum(
        sum(a != b for i, a in enumerate(unit) for j, b in enumerate(unit) if i != j) / (len(unit) - 1)
        for unit in units
        if len(unit) > 1
    )
    expected = sum(a != b for i, a in enumerate(values) for j, b in enumerate(values) if i != j) / (total - 1)
    return 1 - observed / expected


@pytest.mark.parametrize("units", [["cc", "ci", "ii", "cc"], ["ccc", "cin", "ii", "nn", "ci"], ["ci", "ic"]])
def test_alpha_is_krippendorffs(units: list[str]) -> None:
    assert alpha(said(*units)) == pytest.approx(by_hand(units))


def test_agreement_counts_steps_of_two_people_or_more() -> None:
    found = agreement(said("cc", "ci", "c", "in", "ii"))
    assert (found.steps, found.equal_pairs) == (4, 0.5)
    assert found.confusion == {
        ("correct", "correct"): 1,
        ("correct", "incorrect"): 1,
        ("incorrect", "neutral"): 1,
        ("incorrect", "incorrect"): 1,
    }


def test_what_cannot_be_said_is_null() -> None:
    assert agreement(said("c", "i")).alpha is None
    assert agreement(said("c", "i")).equal_pairs is None
    assert agreement(said("cc", "cc")).alpha is None, "one value alone"
    assert agreement({}).steps == 0


def test_people_say_together_what_most_of_them_say_unless_somebody_decides() -> None:
    held = said("cc", "ci", "cci", "cin", "n")
    assert [label for label, _ in together(held, {}).values()] == ["correct", None, "correct", None, "neutral"]
    assert [how for _, how in together(held, {}).values()] == ["all", "split", "most", "split", "all"]
    assert disagreements(held, {}) == [("t", 1), ("t", 2), ("t", 3)]
    decided = {("t", 1): Entry("t", 1, "incorrect", "Cy", "s", 0, settles=True)}
    assert together(held, decided)["t", 1] == ("incorrect", "settled")
    assert disagreements(held, decided) == [("t", 2), ("t", 3)]


@given(st.integers(0, 60), st.integers(1, 5), st.floats(0, 1))
def test_shares_cover_all_and_overlap_as_asked(count: int, people: int, overlap: float) -> None:
    tasks, names = [f"t{n}" for n in range(count)], [f"p{n}" for n in range(people)]
    given = shares(tasks, names, overlap)
    times = np.array([sum(task in own for own in given.values()) for task in tasks])
    everyone = np.ceil(overlap * count)
    assert all(times >= 1)
    assert people == 1 or np.count_nonzero(times == people) == everyone
    sizes = [len(own) for own in given.values()]
    assert max(sizes) - min(sizes) <= 1
    assert all(len(set(own)) == len(own) for own in given.values())


def test_without_names_anyone_labels_everything_and_with_names_nobody_else() -> None:
    assert sorted(share_of("Zoe", ["a", "b"], (), 0.0) or ()) == ["a", "b"]
    assert share_of("Zoe", ["a", "b"], ("Ann",), 0.0) is None


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"), [(90, 100, 0.8256, 0.9448), (0, 10, 0.0, 0.2775), (5, 5, 0.5655, 1.0)]
)
def test_wilsons_interval(hits: int, of: int, low: float, high: float) -> None:
    assert wilson(hits, of) == pytest.approx((low, high), abs=1e-4)
    assert wilson(0, 0) is None
