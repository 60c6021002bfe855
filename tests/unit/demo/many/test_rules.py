"""Rules of choosing, on three candidates written by hand: a rare wrong one that the critic likes best, and two right ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

from demo.many.rules import PRIOR, Case, Rule, all_rules, log_likelihood
from demo.many.table import chosen, table

RARE = Case(
    "0123456789abcdef",
    "s",
    np.array([False, True, True]),
    np.array([0, 1, 1]),
    {
        "prm": [[0.9, 0.9], [0.8, 0.8], [0.8, 0.8]],
        "other": [[0.1, 0.1], [0.7, 0.7], None],
        PRIOR: [[0.001, 0.5], [0.5, 0.5], [0.5, 0.5]],
    },
    {"prm": [[0.2, 0.2], [0.7, 0.7], [0.7, 0.7]]},
)


def accuracies(critic: str = "prm") -> dict[str, float]:
    return {rule.name: rule.of(RARE, critic, 3) for rule in all_rules(["other"]) if rule.fits(RARE, critic)}


def test_the_mean_takes_the_rare_one_and_each_prior_the_others() -> None:
    found = accuracies()
    assert found["mean of the steps"] == found["min of the steps"] == found["product of the steps"] == 0.0
    assert found["mean of the lower ends"] == found["the lower of it and `other`"] == found["× vote"] == 1.0
    assert found["× likelihood^p, p = 0.05"] == found["× likelihood^p, p = 1"] == 1.0
    # 0.9 against 0.8 · 2^p: the same from p = 0.17 on.
    assert (found["× same answers^p, p = 0.1"], found["× same answers^p, p = 0.2"]) == (0.0, 1.0)


def test_rules_want_the_critics_that_they_name() -> None:
    assert "mean of the lower ends" not in accuracies("other")
    assert "the lower of it and `other`" not in accuracies("other")
    assert not any("likelihood" in name for name in accuracies(PRIOR))


def test_the_likelihood_of_a_response_is_the_product_over_its_steps() -> None:
    assert log_likelihood(RARE).tolist() == pytest.approx([math.log(0.0005), math.log(0.25), math.log(0.25)])


def test_of_each_family_the_power_that_is_best_on_held_out_problems_is_taken() -> None:
    def right_at(power: float) -> Rule:
        return Rule("x", lambda case, critic, n: power, (), power)

    rules = [right_at(0.1), right_at(0.3), Rule("y", lambda case, critic, n: 0.5)]
    assert [rule.name for rule in chosen([RARE], rules, ["prm"])] == ["x, p = 0.3", "y"]


def test_the_table_has_both_sizes_and_their_difference() -> None:
    rules = [Rule("x", lambda case, critic, n: n / 100)]
    text = table([RARE, RARE], {"test": [RARE, RARE]}, rules, ["prm", "nobody"])
    assert "| prm | x | 8.0 | 64.0 | +56.0 [+56.0, +56.0] | 8.0 | 64.0 | +56.0 [+56.0, +56.0] |" in text
    assert "nobody" not in text
