"""The check of the prefix cache that an engine makes at its first request, with a stub in vLLM's place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.engine.gauges import Gauges

pytest.importorskip("vllm")

from pipeline.engine.vllm import VllmEngine


class Llm:
    """Gives these answers one after another, and remembers what it was asked."""

    def __init__(self, answers: Sequence[Sequence[int]], caches: bool = True) -> None:
        self.vllm_config = SimpleNamespace(cache_config=SimpleNamespace(enable_prefix_caching=caches, block_size=4))
        self.asked: list[Any] = []
        self._answers = iter(answers)

    async def generate(self, prompt: dict[str, Any], params: Any, request_id: str) -> AsyncIterator[Any]:
        self.asked.append(prompt["prompt_token_ids"])
        assert params.temperature == 0
        yield SimpleNamespace(outputs=[SimpleNamespace(token_ids=next(self._answers))])


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


def test_without_a_cache_nothing_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    llm = Llm([], caches=False)
    assert check(llm).prefix_exact is None
    assert llm.asked == []
    assert "this model can't reuse cached prefixes" in capsys.readouterr().err
