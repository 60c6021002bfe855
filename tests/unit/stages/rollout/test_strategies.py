"""What each strategy draws, and what its labels are worth against `fixed` on the same draws."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import RolloutConfig, ledger_view, parse_config
from stages.frontier.measure import candidates
from stages.publish.drawn import biased_by
from stages.rollout import STRATEGIES, Ask, Progress, Strategy, View, largest_bias, origins, replay
from stages.rollout.bias import bias
from stages.rollout.strategies.first_success import first_success, to_round_end
from stages.rollout.strategies.sequential_ci import half_width, sequential_ci
from stages.rollout.strategies.wrong_only import audited, binary_search, right_to_left

HITS = st.lists(st.lists(st.booleans(), min_size=16, max_size=16), max_size=7)


def config(strategy: str, **more: Any) -> RolloutConfig:
    return RolloutConfig.model_validate({"strategy": strategy, **more})


def view(*prefixes: Progress, correct: bool = False) -> View:
    return View("s", correct, prefixes)


def test_rounds_end_where_they_should() -> None:
    assert [to_round_end(drawn, (4, 4, 8), 16) for drawn in (0, 4, 8, 15, 16, 20)] == [4, 4, 8, 1, 0, 0]
    assert [to_round_end(drawn, (4, 4, 8), 40) for drawn in (5, 16, 17, 24, 39)] == [3, 8, 7, 8, 1]
    assert [to_round_end(drawn, (1, 1, 2, 4, 8), 16) for drawn in (0, 1, 2, 4, 8)] == [1, 1, 2, 4, 8]
    assert [to_round_end(drawn, (4,), 6) for drawn in (0, 4, 6)] == [4, 2, 0]


def test_first_success_draws_round_by_round() -> None:
    rounds = config("first_success")
    prefixes = (Progress(), Progress(4, 1), Progress(4, 0), Progress(4, 0, 4), Progress(16, 0))
    assert first_success(view(*prefixes), rounds) == [Ask(0, 4), Ask(2, 4)]


@given(HITS)
def test_labels_at_threshold_zero_are_those_of_fixed(hits: list[list[bool]]) -> None:
    for strategy in ("first_success", "sequential_ci"):
        steps = replay("s", False, hits, config(strategy))
        assert [step.correct > 0 for step in steps] == [any(prefix) for prefix in hits]


@given(HITS, st.sampled_from(["right_to_left", "binary_search"]))
def test_a_wrong_solutions_error_is_found(hits: list[list[bool]], strategy: str) -> None:
    rules = config(strategy, audit_fraction=0)
    steps = replay("s", False, hits, rules)
    found = origins([*steps, Progress()], False, rules)
    assert found[-1] == "own_answer"
    successes = [index for index, prefix in enumerate(hits) if any(prefix)]
    if strategy == "right_to_left":
        last = max(successes, default=-1)
        assert found[:-1] == ["implied"] * last + ["measured"] * (len(hits) - max(last, 0))
        assert all(step.drawn == 16 for step in steps[last + 1 :])
    elif successes == list(range(len(successes))):
        # Successes first, then none: the search finds the border and has measured both of its sides.
        border = len(successes)
        assert all(step.drawn for step in steps[max(0, border - 1) : border + 1])
        assert set(found[:border]) <= {"measured", "implied"}
        assert set(found[border:-1]) <= {"measured", "not_sampled"}
        assert sum(step.drawn > 0 for step in steps) <= math.ceil(math.log2(len(hits) + 1))


@pytest.mark.parametrize("strategy", [right_to_left, binary_search])
def test_a_right_solution_implies_its_steps_unless_it_is_audited(strategy: Any) -> None:
    rules = config(strategy.__name__, audit_fraction=0)
    assert strategy(view(Progress(), Progress(), correct=True), rules) == []
    assert origins([Progress()] * 3, True, rules) == ["implied", "implied", "own_answer"]
    every = config(strategy.__name__, audit_fraction=1)
    assert strategy(view(Progress(), Progress(), correct=True), every) == [Ask(0, 16), Ask(1, 16)]


def test_nothing_is_implied_by_strategies_that_draw_everywhere() -> None:
    assert origins([Progress(4, 4), Progress(4), Progress()], True, config("first_success")) == [
        "measured",
        "measured",
        "own_answer",
    ]
    stopped = config("stop_after_zero", complete_prefix="sample")
    assert origins([Progress(16), Progress()], True, stopped) == ["measured", "not_sampled"]


def test_the_audit_is_a_fixed_share_of_the_solutions() -> None:
    ids = [f"{number:032x}/k/s{number % 4}" for number in range(20_000)]
    chosen = {name for name in ids if audited(name, 0.03)}
    assert 500 < len(chosen) < 700
    assert chosen < {name for name in ids if audited(name, 0.2)}
    assert not any(audited(name, 0) for name in ids)
    assert all(audited(name, 1) for name in ids)


def test_the_interval_is_that_of_the_beta_distribution() -> None:
    rng = random.Random(0)
    for correct, drawn in ((4, 4), (1, 4), (5, 8), (1, 16), (16, 16)):
        draws = sorted(rng.betavariate(correct + 0.5, drawn - correct + 0.5) for _ in range(100_000))
        assert half_width(correct, drawn) == pytest.approx((draws[95_000] - draws[5_000]) / 2, abs=0.005)
    assert half_width(3, 8) == pytest.approx(half_width(5, 8), abs=1e-9)


def test_sequential_ci_stops_when_it_knows_enough_and_never_at_zero() -> None:
    rules = config("sequential_ci")
    prefixes = (Progress(4, 4), Progress(4, 1), Progress(8, 0), Progress(16, 8), Progress(4, 2, 4))
    assert sequential_ci(view(*prefixes), rules) == [Ask(1, 4), Ask(2, 4)]


def test_the_bias_is_what_many_prefixes_show() -> None:
    rng = random.Random(1)
    for rules in (config("sequential_ci"), config("first_success")):
        means = []
        for _ in range(8_000):
            (step,) = replay("s", False, [[rng.random() < 0.75 for _ in range(16)]], rules)
            means.append(step.correct / step.drawn)
        assert sum(means) / len(means) - 0.75 == pytest.approx(bias(0.75, rules), abs=0.01)
    assert largest_bias(config("fixed")) == pytest.approx(0, abs=1e-9)
    assert largest_bias(config("sequential_ci", num_draws=0)) == 0
    assert largest_bias(config("right_to_left")) == largest_bias(config("first_success")) > 0.05


def test_the_ledger_names_the_strategy_with_what_it_heeds() -> None:
    assert config("fixed").description == "fixed num_draws=16"
    assert config("first_success", rounds=[1, 1, 2, 4, 8]).description == "first_success num_draws=16 rounds=1,1,2,4,8"
    assert config("right_to_left").description == "right_to_left num_draws=16 rounds=4,4,8 audit_fraction=0.03"


def stops(strategy: str, *prefixes: Progress) -> bool:
    """Whether it asks for no more draws of a wrong solution that no audit takes."""
    return not STRATEGIES[strategy].asks(view(*prefixes), config(strategy, audit_fraction=0))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_ends_the_draws_is_what_the_entry_says(strategy: str) -> None:
    rounds = {"rounds": (4,), "ci_round": 4, "audit_fraction": 0}
    entry = STRATEGIES[strategy]
    message = f"{strategy} does otherwise than its entry in STRATEGIES says: correct `stops_at`"
    # One success of four says that mc is above 0, and little else.
    assert stops(strategy, Progress(4, 1)) == (entry.stops_at == "success"), message
    assert stops(strategy, Progress(4, 4)) == (entry.stops_at in ("success", "precision")), message
    hits = [[index % 2 == 0] * 16 for index in range(4)]
    drawn = [step.drawn for step in replay("s", False, hits, config(strategy, **rounds))]
    assert (drawn == [16, 16, 0, 0]) == (entry.stops_at == "zero"), message


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(hits=HITS)
def test_only_strategies_that_imply_labels_leave_steps_before_a_success(strategy: str, hits: list[list[bool]]) -> None:
    drawn = replay("s", False, hits, config(strategy, audit_fraction=0))
    last = max((index for index, step in enumerate(drawn) if step.correct), default=0)
    if not STRATEGIES[strategy].implies_labels:
        assert all(step.drawn for step in drawn[:last]), f"{strategy}: correct `implies_labels` in STRATEGIES"


def test_strategies_that_imply_labels_do_leave_steps() -> None:
    for strategy, entry in STRATEGIES.items():
        drawn = replay("s", False, [[True] * 16] * 3, config(strategy, audit_fraction=0))
        assert any(not step.drawn for step in drawn) == entry.implies_labels, f"{strategy}: correct `implies_labels`"


def test_a_strategy_without_a_class_or_with_a_setting_that_is_not_there_is_no_strategy() -> None:
    with pytest.raises(TypeError, match="stops_at"):
        Strategy(asks=first_success, implies_labels=False)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="implies_labels"):
        Strategy(asks=first_success, stops_at="success")  # type: ignore[call-arg]
    for parameter in ("round", "num_draws"):
        with pytest.raises(ValueError, match=f"'{parameter}' is not a setting of strategies"):
            Strategy(asks=first_success, stops_at="success", implies_labels=False, parameters=(parameter,))


def test_one_entry_makes_a_strategy_known_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A made-up one that draws until the first success and one draw at a time: settings, ledger, labels, comparing."""
    made_up = Strategy(
        asks=lambda view, config: first_success(view, config.model_copy(update={"rounds": (1,)})),
        stops_at="success",
        implies_labels=False,
        parameters=("ci_round",),
        trials=({"ci_round": 1}, {"ci_round": 2}),
    )
    data = {"name": "x", "sources": [{"name": "a", "path": "rows.jsonl"}]}
    monkeypatch.setitem(STRATEGIES, "one_by_one", made_up)
    settings = parse_config(dict(data), ["rollout.strategy=one_by_one"])
    assert settings.rollout.description == "one_by_one num_draws=16 ci_round=4"
    assert {"rollout.ci_round": 4, "rollout.strategy": "one_by_one"}.items() <= ledger_view(settings).items()
    assert "rollout.rounds" not in ledger_view(settings)
    assert [step.drawn for step in replay("s", False, [[False, True] * 8], settings.rollout)] == [2]
    assert [each.ci_round for each in candidates(RolloutConfig()) if each.strategy == "one_by_one"] == [1, 2]
    assert biased_by({"policies": [{"strategy": settings.rollout.description}]})


def test_shares_of_an_unknown_strategy_are_not_trusted() -> None:
    figures = {"policies": [{"strategy": "fixed num_draws=16"}, {"strategy": "of_tomorrow num_draws=16"}]}
    assert biased_by(figures) == (
        "the strategy of_tomorrow, which this version does not know, and so can't say whether scores are biased"
    )
    assert biased_by({"policies": figures["policies"][:1]}) is None
    assert biased_by({}) is None
