"""What one problem becomes: which ids a draw starts from, which text is judged, which seed it has."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.annotate import annotate
from pipeline.config import EngineConfig, RunConfig, SamplingConfig, parse_config
from pipeline.engine import Completion, Prompt
from pipeline.engine.scripted import ScriptedEngine
from pipeline.errors import EngineDead
from pipeline.records import Image, Problem, Verdict
from pipeline.seeds import base_seed
from stages.sample import Template
from stages.verify.pool import VerifierPool

PROBLEM = Problem("pid", "s", "r", "How many?", "4", (Image.of(b"x"),), (), ("number",), 1, "p")
CONFIG = parse_config(
    {
        "name": "x",
        "sources": [{"name": "a", "path": "rows.jsonl"}],
        "sampling": {"num_solutions": 2, "max_tokens": 200},
        "rollout": {"num_draws": 3},
    }
)


class RecordingEngine(ScriptedEngine):
    """Remembers its requests; may die or fail on the way."""

    def __init__(self, failure: Exception | None = None) -> None:
        super().__init__(EngineConfig(kind="scripted"))
        self.requests: list[tuple[Prompt, int, int, int]] = []
        self.failure = failure

    async def generate(
        self, prompt: Prompt, sampling: SamplingConfig, n: int, seed: int, max_tokens: int, *, stop: str | None = None
    ) -> list[Completion]:
        self.requests.append((prompt, n, seed, max_tokens))
        if self.failure and len(self.requests) > 1:
            raise self.failure
        return await super().generate(prompt, sampling, n, seed, max_tokens)


class RecordingPool(VerifierPool):
    """Judges by the text's end alone and remembers what it was given."""

    def __init__(self) -> None:
        self.judged: list[str] = []

    async def verify(self, gold: str, response: str, *rest: object, **more: object) -> Verdict:
        self.judged.append(response)
        return Verdict("correct" if response.endswith(gold) else "incorrect")


def run(engine: RecordingEngine, pool: RecordingPool, config: RunConfig = CONFIG):  # type: ignore[no-untyped-def]
    return asyncio.run(annotate(PROBLEM, Template("Q: {question}"), "model", engine, pool, config))


def test_draws_start_from_the_solutions_own_tokens_and_judge_the_whole_response() -> None:
    engine, pool = RecordingEngine(), RecordingPool()
    item = run(engine, pool)
    chat = engine.chat("Q: How many?", 1)
    first, *draws = engine.requests
    assert first == (Prompt(chat, PROBLEM.images, 1), 2, base_seed(0, "pid", item.policy_key, "solutions"), 200)
    wanted = set()
    for index, solution in enumerate(item.solutions):
        for number, step in enumerate(solution.steps[:-1]):
            prefix = "\n\n".join(s.text for s in solution.steps[: number + 1]) + "\n\n"
            ids = engine.encode(prefix)
            assert solution.token_ids[: step.end] == ids
            seed = base_seed(0, "pid", item.policy_key, f"s{index}", number)
            wanted.add((Prompt(chat + ids, PROBLEM.images, 1), 3, seed, 200 - len(ids)))
            assert [draw.seed for draw in step.draws] == [seed, seed + 1, seed + 2]
            assert all(prefix + draw.text in pool.judged for draw in step.draws)
            assert all((draw.verdict.status == "correct") == draw.text.endswith("4") for draw in step.draws)
    assert set(draws) == wanted
    assert len(draws) == len(wanted)
    assert [solution.solution_id for solution in item.solutions] == [f"pid/{item.policy_key}/s{k}" for k in (0, 1)]


def test_one_row_that_fails_is_a_row_with_an_error() -> None:
    item = run(RecordingEngine(ValueError("odd")), RecordingPool())
    assert item.solutions == ()
    assert item.error == "internal_error: ValueError: odd"


def test_a_dead_engine_is_not_a_row_error() -> None:
    with pytest.raises(EngineDead):
        run(RecordingEngine(EngineDead("gone")), RecordingPool())
