"""What the engine asks of vLLM, with a stub in its place: the check of the prefix cache, who goes first, how many tiles."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.config import SamplingConfig
from pipeline.engine import Prompt
from pipeline.engine.gauges import Gauges

pytest.importorskip("vllm")

from pipeline.engine.pictures import PictureLimit
from pipeline.engine.vllm import VllmEngine


class Llm:
    """Gives these answers one after another, and remembers what it was asked."""

    def __init__(self, answers: Sequence[Sequence[int]], caches: bool = True, found: int = 8) -> None:
        self.vllm_config = SimpleNamespace(cache_config=SimpleNamespace(enable_prefix_caching=caches, block_size=4))
        self.asked: list[Any] = []
        self._answers, self._found = iter(answers), found

    async def generate(self, prompt: dict[str, Any], params: Any, request_id: str) -> AsyncIterator[Any]:
        self.asked.append(prompt["prompt_token_ids"])
        assert params.temperature == 0
        yield SimpleNamespace(outputs=[SimpleNamespace(token_ids=next(self._answers))], num_cached_tokens=self._found)


def check(llm: Llm) -> Gauges:
    """What two requests at once leave in the gauges."""
    engine: Any = object.__new__(VllmEngine)
    engine.gauges, engine.encode, engine._llm, engine._check = Gauges(), lambda text: range(len(text)), llm, None

    async def two() -> None:
        await asyncio.gather(engine._checked(), engine._checked())

    asyncio.run(two())
    gauges: Gauges = engine.gauges
    return gauges


def test_equal_answers_pass_and_are_asked_for_once(capsys: pytest.CaptureFixture[str]) -> None:
    llm = Llm([[1, 2], [1, 2]])
    assert check(llm).prefix_exact is True
    assert llm.asked == [list(range(12))] * 2
    assert capsys.readouterr().err == ""


def test_different_answers_are_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    assert check(Llm([[1, 2], [1, 3]])).prefix_exact is False
    assert "greedy output differs with a cached prefix" in capsys.readouterr().err


def test_a_cache_that_finds_nothing_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    gauges = check(Llm([[1, 2], [1, 2]], found=0))
    assert (gauges.prefix_exact, gauges.prefix_reused) == (True, False)
    assert "the prefix cache is on but finds nothing again" in capsys.readouterr().err


def test_without_a_cache_nothing_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    llm = Llm([], caches=False)
    assert check(llm).prefix_exact is None
    assert llm.asked == []
    assert "this model can't reuse cached prefixes" in capsys.readouterr().err


def test_what_goes_ahead_has_a_place_before_the_rest() -> None:
    places: list[int] = []

    class Queue(Llm):
        async def generate(
            self, prompt: dict[str, Any], params: Any, request_id: str, priority: int = 0
        ) -> AsyncIterator[Any]:
            places.append(priority)
            yield SimpleNamespace(outputs=[SimpleNamespace(index=0, token_ids=[7], text="x", finish_reason="stop")])

    engine: Any = object.__new__(VllmEngine)
    engine.gauges, engine._llm, engine._check = Gauges(), Queue([], caches=False), None
    engine._limit, engine._end_ids, engine._stop_ids = PictureLimit(None), set(), []
    solution, continuation = Prompt((1,), (), 1, ahead=True), Prompt((1, 2), (), 1)

    async def both() -> None:
        for prompt in (continuation, solution):
            await engine.generate(prompt, SamplingConfig(), 1, 0, 8)

    asyncio.run(both())
    assert places == [1, 0]
