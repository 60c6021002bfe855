from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.plan.amount import Amount, mean
from stages.plan.chains import Chain, concentration, fitted, made_up, sharing, spend
from stages.plan.cost import PerProblem, decoder_parameters, hours_at_rate, need, per_solution


def test_parameters_of_a_known_decoder() -> None:
    qwen2_7b = {"hidden_size": 3584, "num_hidden_layers": 28, "intermediate_size": 18944, "num_attention_heads": 28,
                "num_key_value_heads": 4, "vocab_size": 152064}  # fmt: skip
    # 7.62 billion, less the input embedding, which is looked up
    assert decoder_parameters(qwen2_7b) == pytest.approx(7.07e9, rel=0.01)


def test_the_corpus_gives_the_published_shape() -> None:
    size = concentration(0.8566, 0.0357, 16)
    # a = 0.476, b = 0.080
    assert size * 0.8566 == pytest.approx(0.476, abs=0.002)
    assert size * (1 - 0.8566) == pytest.approx(0.080, abs=0.001)


def test_made_up_solutions_have_the_statistics_they_were_made_from() -> None:
    size = concentration(0.8566, 0.0357, 16)
    shared = sharing(0.8566, size, 16, 5.6, 0.0767)
    chains = made_up(10_000, 5.6, 100, 0.8566, size, shared, 30.0, random.Random(1))
    steps = [chance for chain in chains for chance in chain.chances]
    assert len(steps) / len(chains) == pytest.approx(5.6, rel=0.02)
    assert sum(steps) / len(steps) == pytest.approx(0.8566, abs=0.01)
    assert sum((1 - chance) ** 16 for chance in steps) / len(steps) == pytest.approx(0.0357, abs=0.006)
    assert all(list(chain.chances) == sorted(chain.chances, reverse=True) for chain in chains)


def everything(n: int):  # type: ignore[no-untyped-def]
    return lambda prefixes, correct: [(i, n) for i, (drawn, _) in enumerate(prefixes) if not drawn]


def test_what_one_solution_costs() -> None:
    chain = Chain((1.0, 1.0, 1.0), (10.0, 20.0, 30.0), True)
    spent = spend(chain, everything(4), True, random.Random(0))
    # after step 1 the rest has 50 tokens, after step 2 it has 30; nothing is drawn after the last
    assert (spent.draws, spent.generated, spent.prefixes) == (8, 60 + 4 * 50 + 4 * 30, 4 * 10 + 4 * 30)
    sampled = spend(chain, everything(4), False, random.Random(0))
    assert (sampled.draws, sampled.generated) == (12, spent.generated + 4)


def test_a_chooser_sees_what_was_drawn() -> None:
    seen = []

    def one_more(prefixes: Sequence[tuple[int, int]], correct: bool) -> list[tuple[int, int]]:
        seen.append(list(prefixes))
        return [(0, 2)] if prefixes[0][0] < 4 else []

    spend(Chain((1.0, 0.0), (1.0, 1.0), False), one_more, True, random.Random(0))
    assert seen == [[(0, 0)], [(2, 2)], [(4, 4)]]


amounts = st.tuples(*[st.floats(0, 1e6)] * 3).map(sorted).map(lambda ends: Amount(*ends))


@given(amounts, amounts)
def test_ranges_stay_in_order(left: Amount, right: Amount) -> None:
    for found in (left + right, left * right, left / (right + Amount.exact(1))):
        assert found.low <= found.middle <= found.high


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_the_mean_lies_in_its_interval(values: list[float]) -> None:
    found = mean(values)
    assert found.low <= found.middle <= found.high


@given(st.integers(1, 10_000), st.integers(1, 8))
def test_needs_grow_with_problems(problems: int, num_solutions: int) -> None:
    problem = PerProblem(Amount.exact(1), Amount(900, 1000, 1100), Amount(400, 500, 600))
    chains = [Chain((0.9, 0.8), (30.0, 30.0), True)] * 3
    spent = [spend(chain, everything(4), True, random.Random(0)) for chain in chains]
    solution = per_solution(spent, [2] * 3, [60.0] * 3, Amount.exact(1), Amount(0.8, 1, 1.2))
    one = need(problems, num_solutions, problem, solution, Amount(1, 2, 3))
    two = need(2 * problems, num_solutions, problem, solution, Amount(1, 2, 3))
    for name in ("steps", "draws", "prompt", "prefill", "generated", "disk", "images"):
        assert getattr(two, name).middle == pytest.approx(2 * getattr(one, name).middle)
    assert one.draws.middle == problems * num_solutions * 4
    assert one.prefill.middle <= one.prompt.middle
    assert hours_at_rate(one, Amount.exact(100)).middle == pytest.approx(one.generated.middle / 360_000)


def test_a_solution_under_a_runs_limits() -> None:
    chain = Chain((0.9, 0.8, 0.5), (10.0, 20.0, 5.0), True)
    assert fitted(chain, 100, 12) == chain
    assert fitted(chain, 35, 3) == chain
    assert fitted(chain, 25, 12) == Chain((0.9, 0.8), (10.0, 15.0), False)
    assert fitted(chain, 30, 12) == Chain((0.9, 0.8), (10.0, 20.0), False)
    assert fitted(chain, 100, 2) == Chain((0.8, 0.5), (30.0, 5.0), True)
    thought = replace(chain, before=20.0, after=10.0)
    assert fitted(thought, 65, 12) == thought
    assert fitted(thought, 40, 12) == Chain((0.9, 0.8), (10.0, 10.0), False, 20.0, 0.0)
    assert fitted(chain, 100, 1) == Chain((0.5,), (35.0,), True)
