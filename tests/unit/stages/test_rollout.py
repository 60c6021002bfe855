"""The rollout loop and its strategies, against an engine that counts what it is asked."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import EngineConfig, RolloutConfig, SamplingConfig
from pipeline.engine import Completion, Prompt
from pipeline.engine.scripted import ScriptedEngine
from pipeline.records import FinishReason, Solution, Step, Verdict
from stages.rollout import STRATEGIES, Ask, Progress, roll_out

SAMPLING = SamplingConfig(max_tokens=50)


class CountingEngine(ScriptedEngine):
    """Answers `right` after the steps in `good`, `wrong` elsewhere, in any order of arrival."""

    def __init__(self, good: set[int], delays: list[float]) -> None:
        super().__init__(EngineConfig(kind="scripted"))
        self.good, self.delays = good, delays
        self.asked: list[tuple[int, int, int, int]] = []

    async def generate(self, prompt: Prompt, sampling: SamplingConfig, n: int, seed: int, max_tokens: int) -> list:
        step = len(prompt.token_ids) - 2
        self.asked.append((step, n, seed, max_tokens))
        await asyncio.sleep(self.delays[len(self.asked) % len(self.delays)])
        text = "right" if step in self.good else "wrong"
        return [Completion((9,), text, "stop", seed + j) for j in range(n)]


async def verify(response: str, finish_reason: FinishReason) -> Verdict:
    return Verdict("correct" if response.endswith("right") else "incorrect")


def run(steps: int, good: set[int], config: RolloutConfig, delays: tuple[float, ...] = (0.0,)) -> tuple:
    solution = Solution("p/k/s0", "", tuple(range(steps)), "stop", 0, Verdict("incorrect"),
                        tuple(Step(f"s{i}", i, i + 1, True) for i in range(steps)))  # fmt: skip
    engine = CountingEngine(good, list(delays))
    prefixes = [("p" * i, tuple(range(i + 1))) for i in range(steps)]
    seeds = [1000 * i for i in range(steps)]
    prompt = Prompt((7,), (), 1)
    rolled = asyncio.run(roll_out(solution, prompt, prefixes, seeds, engine, verify, SAMPLING, config))
    return rolled, engine.asked


def test_fixed_draws_after_every_step_but_the_last() -> None:
    solution, asked = run(4, {0, 1}, RolloutConfig(num_draws=16))
    assert sorted(asked) == [(0, 16, 0, 49), (1, 16, 1000, 48), (2, 16, 2000, 47)]
    assert [step.origin for step in solution.steps] == ["measured"] * 3 + ["own_answer"]
    assert [len(step.draws) for step in solution.steps] == [16, 16, 16, 0]
    assert {draw.verdict.status for draw in solution.steps[1].draws} == {"correct"}
    assert {draw.verdict.status for draw in solution.steps[2].draws} == {"incorrect"}


def test_the_complete_prefix_can_be_sampled_too() -> None:
    solution, asked = run(2, {0}, RolloutConfig(num_draws=3, complete_prefix="sample"))
    assert [(step, n) for step, n, *_ in sorted(asked)] == [(0, 3), (1, 3)]
    assert [step.origin for step in solution.steps] == ["measured", "measured"]


def test_stop_after_zero_leaves_later_steps_unmeasured() -> None:
    solution, asked = run(5, {0, 2, 3}, RolloutConfig(num_draws=4, strategy="stop_after_zero"))
    assert [step for step, *_ in asked] == [0, 1]
    assert [step.origin for step in solution.steps] == [
        "measured",
        "measured",
        "not_sampled",
        "not_sampled",
        "own_answer",
    ]


def test_a_one_step_solution_needs_no_draw() -> None:
    solution, asked = run(1, set(), RolloutConfig())
    assert asked == []
    assert solution.steps[0].origin == "own_answer"


@given(
    st.integers(1, 6),
    st.sets(st.integers(0, 5)),
    st.lists(st.sampled_from([0.0, 0.001, 0.002]), min_size=1, max_size=5),
)
def test_the_order_of_arrival_changes_nothing(steps: int, good: set[int], delays: list[float]) -> None:
    for strategy in STRATEGIES:
        config = RolloutConfig.model_validate({"num_draws": 2, "strategy": strategy})
        assert run(steps, good, config, tuple(delays))[0] == run(steps, good, config)[0]


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(data=st.data())
def test_strategies_never_ask_beyond_the_draws(strategy: str, data: st.DataObject) -> None:
    config = RolloutConfig.model_validate({"num_draws": 8, "strategy": strategy})
    prefixes = data.draw(st.lists(st.builds(
        lambda drawn, correct, pending: Progress(drawn, min(drawn, correct), min(pending, 8 - drawn)),
        st.integers(0, 8), st.integers(0, 8), st.integers(0, 8)), max_size=6))  # fmt: skip
    for ask in STRATEGIES[strategy](prefixes, config):
        assert ask.n == 8 - prefixes[ask.step].drawn - prefixes[ask.step].pending > 0


def test_a_strategy_sees_the_draws_already_there() -> None:
    assert STRATEGIES["fixed"]([Progress(16, 3), Progress(4, 4), Progress(0, 0, 16)], RolloutConfig()) == [Ask(1, 12)]
