"""Targets against hand-made rows; filters and weights as properties."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.train import targets
from stages.train.targets import Target

RIGHT, WRONG = Target(0, (1.0, 0.0)), Target(1, (0.0, 1.0))


def step(k: int | None, n: int | None = 16, origin: str = "measured") -> dict[str, Any]:
    score = None if k is None or not n else k / n
    label = ("+" if origin == "implied" else None) if score is None else "+" if score > 0 else "-"
    return {"step": "s", "score": score, "num_mc_correct": k, "num_mc_total": n if k is not None else None,
            "label": label, "origin": origin}  # fmt: skip


UNKNOWN = step(None, None, "not_sampled")


def test_value_is_the_label_whatever_the_score() -> None:
    steps = [step(16), step(1), {**step(1), "label": "-"}, step(0), UNKNOWN]
    assert targets.step_targets(steps, "value") == [RIGHT, RIGHT, WRONG, WRONG, None]


def test_an_implied_step_has_a_label_and_no_share() -> None:
    implied = [step(None, None, "implied")]
    assert targets.step_targets(implied, "value") == [RIGHT]
    assert targets.step_targets(implied, "soft") == [None]
    assert targets.step_targets(implied, "counts") == [None]


def test_soft_is_a_distribution_and_counts_are_draws_with_the_label_for_metrics() -> None:
    wrong = {**step(4), "label": "-"}
    assert targets.step_targets([step(4), wrong], "soft") == [Target(0, (0.25, 0.75)), Target(1, (0.25, 0.75))]
    assert targets.step_targets([step(4), wrong, step(0, 4)], "counts") == [
        Target(0, (4.0, 12.0)),
        Target(1, (4.0, 12.0)),
        Target(1, (0.0, 4.0)),
    ]


def test_advantage_is_the_sign_of_the_gain_and_ties_are_exact_without_a_tolerance() -> None:
    steps = [step(8), step(8), step(9), step(0), step(0), UNKNOWN, step(4)]

    def signs(tolerance: float, before: float | None) -> list[int | None]:
        made = targets.step_targets(steps, "advantage", tolerance, before)
        return [None if target is None else target.label for target in made]

    # The first step against the problem's share of right solutions; nothing after an unmeasured step.
    assert signs(0.0, 0.25) == [0, 1, 0, 2, 1, None, None]
    assert signs(0.0, 0.75) == [2, 1, 0, 2, 1, None, None]
    assert signs(1 / 16, 0.5) == [1, 1, 1, 2, 1, None, None]
    assert signs(0.0, None)[0] is None


@given(st.integers(1, 200), st.integers(1, 200), st.data())
def test_advantage_is_that_of_exact_fractions(n: int, m: int, data: st.DataObject) -> None:
    """As subtracted in floats, 4/10 − 3/10 is above 0.1 and 3/10 − 2/10 below."""
    before, after = (data.draw(st.integers(0, total)) for total in (n, m))
    tolerance = data.draw(
        st.integers(0, 10).map(lambda tenths: Fraction(tenths, 10))
        | st.just(abs(Fraction(after, m) - Fraction(before, n)))
    )
    gain = Fraction(after, m) - Fraction(before, n)
    (made,) = targets.step_targets([step(after, m)], "advantage", float(tolerance), before / n)
    assert made is not None
    assert made.label == (1 if abs(gain) <= tolerance else 0 if gain > 0 else 2)


@pytest.mark.parametrize(
    ("correct", "last", "expected"),
    [(True, 0, RIGHT), (False, 16, WRONG), (None, 16, RIGHT), (None, 0, WRONG), (None, None, None)],
)
def test_outcome_is_the_verdict_or_else_the_last_step(
    correct: bool | None, last: int | None, expected: Target | None
) -> None:
    row = {"response_correct": correct, "steps_with_score": [step(16), step(last)]}
    assert targets.outcome_target(row) == expected


def test_stopping_keeps_the_first_error_and_nothing_after() -> None:
    assert targets.stop_at_first_error([RIGHT, None, WRONG, RIGHT]) == [RIGHT, None, WRONG]
    assert targets.stop_at_first_error([RIGHT, RIGHT]) == [RIGHT, RIGHT]
    same, worse = Target(1, (0.0, 1.0, 0.0)), Target(2, (0.0, 0.0, 1.0))
    assert targets.stop_at_first_error([same, worse, same], 3) == [same, worse]


def test_trailing_unmeasured_steps_go() -> None:
    assert targets.trimmed([RIGHT, None, WRONG, None, None]) == [RIGHT, None, WRONG]
    assert targets.trimmed([None, None]) == []


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=3).filter(any))
def test_balanced_weights_give_every_label_the_same_total(counts: list[int]) -> None:
    weights = targets.class_weights(counts, "balanced", "+=-")
    totals = [weight * count for weight, count in zip(weights, counts, strict=True) if count]
    assert totals == pytest.approx([sum(counts) / len(totals)] * len(totals))


def test_weights_by_name() -> None:
    assert targets.class_weights([5, 5], {"-": 3.0}, ["+", "-"]) == [1.0, 3.0]
    assert targets.class_weights([5, 5], "none", ["+", "-"]) == [1.0, 1.0]


@pytest.mark.parametrize(("reduction", "total"), [("step", 4.0), ("solution", 1.0), ("square", 2.0)])
def test_reductions_weigh_a_solution_of_four_steps(reduction: Any, total: float) -> None:
    assert 4 * targets.step_weight(4, reduction) == total


def test_selection_score_prefers_mixed_solutions_with_confident_right_steps() -> None:
    # p = 1/2, R = 1: (1/4 + 0.05) · 1
    assert targets.selection_score([step(16), step(0)], 0.05) == pytest.approx(0.3)
    # p = 1, R = 3/4
    assert targets.selection_score([step(8), step(16), UNKNOWN], 0.05) == pytest.approx(0.05 * 0.75)
    # What is right says the label: p = 1/2, R = 1.
    assert targets.selection_score([{**step(8), "label": "-"}, step(16)], 0.05) == pytest.approx(0.3)
    assert targets.selection_score([step(0)], 0.05) == 0.0
    assert targets.selection_score([UNKNOWN], 0.05) is None


def test_problems_without_an_error_and_the_share_of_solved() -> None:
    assert targets.all_right([[RIGHT, None], [RIGHT]])
    assert not targets.all_right([[RIGHT], [RIGHT, WRONG]])
    rows = [{"response_correct": verdict} for verdict in (True, False, False, None)]
    assert targets.solved_share(rows) == pytest.approx(1 / 3)
    assert targets.solved_share(rows[3:]) is None


def test_a_corpus_of_labels_alone_can_be_learnt_from() -> None:
    rows = [{**UNKNOWN, "label": "+", "origin": "measured"}, {**UNKNOWN, "label": "-", "origin": "measured"}]
    assert targets.step_targets(rows, "value") == [RIGHT, WRONG]
