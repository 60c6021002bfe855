"""The rollout loop and its strategies, against an engine that counts what it is asked."""

import asyncio
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import EngineConfig, RolloutConfig, SamplingConfig
from pipeline.engine import Completion, Prompt
from pipeline.engine.scripted import ScriptedEngine
from pipeline.errors import RowError
from pipeline.records import FinishReason, Solution, Step, Verdict, VerdictStatus
from stages.rollout import STRATEGIES, Ask, Progress, View, replay, roll_out

SAMPLING = SamplingConfig(max_tokens=50)


class CountingEngine(ScriptedEngine):
    """Answers `right` after the steps in `good`, `wrong` elsewhere, in any order of arrival."""

    def __init__(self, good: set[int], delays: list[float]) -> None:
        super().__init__(EngineConfig(kind="scripted"))
        self.good, self.delays = good, delays
        self.asked: list[tuple[int, int, int, int]] = []

    async def generate(
        self, prompt: Prompt, sampling: SamplingConfig, n: int, seed: int, max_tokens: int, *, stop: str | None = None
    ) -> list:
        step = len(prompt.token_ids) - 2
        self.asked.append((step, n, seed, max_tokens))
        await asyncio.sleep(self.delays[len(self.asked) % len(self.delays)])
        text = "right" if step in self.good else "wrong"
        return [Completion((9,), text, "stop", seed + j) for j in range(n)]


async def verify(response: str, finish_reason: FinishReason) -> Verdict:
    return Verdict("correct" if response.endswith("right") else "incorrect")


def run(
    steps: int,
    good: set[int],
    config: RolloutConfig,
    delays: tuple[float, ...] = (0.0,),
    own: VerdictStatus = "incorrect",
) -> tuple:
    solution = Solution("p/k/s0", "", tuple(range(steps)), "stop", 0, Verdict(own),
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
    for ask in STRATEGIES[strategy].asks(View(data.draw(st.text()), data.draw(st.booleans()), prefixes), config):
        prefix = prefixes[ask.step]
        assert 0 < ask.n <= 8 - prefix.drawn - prefix.pending


def test_a_strategy_sees_the_draws_already_there() -> None:
    view = View("s", False, [Progress(16, 3), Progress(4, 4), Progress(0, 0, 16)])
    assert STRATEGIES["fixed"].asks(view, RolloutConfig()) == [Ask(1, 12)]


class SeededEngine(CountingEngine):
    """Whether a draw is right follows from its seed alone; about one in `odds` is."""

    def __init__(self, odds: int, delays: list[float]) -> None:
        super().__init__(set(), delays)
        self.odds = odds

    async def generate(
        self, prompt: Prompt, sampling: SamplingConfig, n: int, seed: int, max_tokens: int, *, stop: str | None = None
    ) -> list:
        drawn = await super().generate(prompt, sampling, n, seed, max_tokens)
        return [Completion((9,), "right" if c.seed * 7919 % self.odds == 3 else "wrong", "stop", c.seed) for c in drawn]


def seeded(solution: Solution, odds: int, config: RolloutConfig, delays: list[float]) -> tuple[Solution, list]:
    engine = SeededEngine(odds, delays)
    steps = len(solution.steps)
    prefixes = [("p" * i, tuple(range(i + 1))) for i in range(steps)]
    seeds = [1000 * i for i in range(steps)]
    rolled = asyncio.run(roll_out(solution, Prompt((7,), (), 1), prefixes, seeds, engine, verify, SAMPLING, config))
    return rolled, engine.asked


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(
    steps=st.integers(1, 7),
    odds=st.sampled_from([4, 5, 11, 23, 999]),
    number=st.integers(0, 50),
    own=st.sampled_from(["correct", "incorrect", "timeout"]),
    last=st.sampled_from(["own_answer", "sample"]),
    delays=st.lists(st.sampled_from([0.0, 0.001]), min_size=1, max_size=3),
)
def test_the_loop_the_replay_and_a_top_up_make_the_same_draws(
    strategy: str, steps: int, odds: int, number: int, own: VerdictStatus, last: str, delays: list[float]
) -> None:
    fixed = RolloutConfig.model_validate({"complete_prefix": last})
    config = RolloutConfig.model_validate({"strategy": strategy, "audit_fraction": 0.2, "complete_prefix": last})
    bare = Solution(f"p/k/s{number}", "", tuple(range(steps)), "stop", 0, Verdict(own),
                    tuple(Step(f"s{i}", i, i + 1, True) for i in range(steps)))  # fmt: skip
    whole, _ = seeded(bare, odds, fixed, delays)
    cheap, _ = seeded(bare, odds, config, delays)
    for full, part in zip(whole.steps, cheap.steps, strict=True):
        assert part.draws == full.draws[: len(part.draws)]

    open_steps = whole.steps if last == "sample" else whole.steps[:-1]
    hits = [[draw.verdict.status == "correct" for draw in step.draws] for step in open_steps]
    replayed = replay(bare.solution_id, own == "correct", hits, config)
    assert [progress.drawn for progress in replayed] == [len(step.draws) for step in cheap.steps[: len(hits)]]

    topped, asked = seeded(cheap, odds, fixed, delays)
    assert topped == whole
    made = sum(len(step.draws) for step in cheap.steps)
    assert sum(n for _, n, *_ in asked) == sum(len(step.draws) for step in whole.steps) - made


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(
    before=st.sampled_from(list(STRATEGIES)),
    steps=st.integers(1, 7),
    odds=st.sampled_from([4, 11, 999]),
    number=st.integers(0, 50),
    own=st.sampled_from(["correct", "incorrect"]),
)
def test_what_was_drawn_before_changes_nothing_but_the_cost(
    strategy: str, before: str, steps: int, odds: int, number: int, own: VerdictStatus
) -> None:
    config = RolloutConfig.model_validate({"strategy": strategy, "audit_fraction": 0.2})
    other = RolloutConfig.model_validate({"strategy": before, "audit_fraction": 0.2, "rounds": [1, 2]})
    bare = Solution(f"p/k/s{number}", "", tuple(range(steps)), "stop", 0, Verdict(own),
                    tuple(Step(f"s{i}", i, i + 1, True) for i in range(steps)))  # fmt: skip
    earlier, made = seeded(bare, odds, other, [0.0])
    topped, asked = seeded(earlier, odds, config, [0.0])
    fresh, needed = seeded(bare, odds, config, [0.0])
    assert topped == fresh
    drawn = sum(n for _, n, *_ in needed)
    assert drawn - sum(n for _, n, *_ in made) <= sum(n for _, n, *_ in asked) <= drawn


def test_draws_of_another_seed_are_refused() -> None:
    rolled, _ = run(3, {0}, RolloutConfig(num_draws=4))
    moved = dataclasses.replace(rolled, steps=(rolled.steps[0], dataclasses.replace(
        rolled.steps[1], draws=rolled.steps[0].draws), rolled.steps[2]))  # fmt: skip
    with pytest.raises(RowError, match="draws_of_other_seeds"):
        seeded(moved, 5, RolloutConfig(), [0.0])


def test_a_longer_ledger_is_cut_to_the_draws_asked_for() -> None:
    rolled, _ = run(3, {0}, RolloutConfig(num_draws=8))
    cut, asked = seeded(rolled, 5, RolloutConfig(num_draws=4), [0.0])
    assert asked == []
    assert [len(step.draws) for step in cut.steps] == [4, 4, 0]
