"""Beam search against a policy whose every solution is known."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import EngineConfig, SamplingConfig
from pipeline.engine import Completion, Prompt
from pipeline.engine.scripted import ScriptedEngine
from pipeline.errors import RowError
from stages.best_of_n.beams import Found, search

SAMPLING = SamplingConfig(max_tokens=100)
PROMPT = Prompt((1, 2), (), 1)
LENGTH = 3


class Digits(ScriptedEngine):
    """Writes `LENGTH` steps of one digit, which follows from the seed; the last one ends the solution."""

    def __init__(self, merged: bool = False) -> None:
        super().__init__(EngineConfig(kind="scripted"))
        self.merged = merged
        self.asked: list[tuple[str, int, str | None]] = []

    async def generate(
        self, prompt: Prompt, sampling: SamplingConfig, n: int, seed: int, max_tokens: int, *, stop: str | None = None
    ) -> list[Completion]:
        so_far = bytes(prompt.token_ids[2:]).decode()
        self.asked.append((so_far, n, stop))
        return [self._one(so_far, seed + j, stop) for j in range(n)]

    def _one(self, so_far: str, seed: int, stop: str | None) -> Completion:
        left = LENGTH - so_far.count("\n\n")
        text = "\n\n".join(str((seed + k) % 10) for k in range(left))
        if stop and stop in text:
            text = text[: text.index(stop) + len(stop)]
        ids = self.encode(text + ("X" if self.merged and text.endswith("\n\n") else ""))
        return Completion(ids, text, "stop", seed)


async def by_digits(texts: Sequence[str]) -> list[float]:
    """The mean digit."""
    return [sum(map(int, text.split())) / len(text.split()) for text in texts]


def run(beams: int, expand: int, max_steps: int = 8, engine: Digits | None = None, seed: int = 0) -> Found:
    return asyncio.run(search(PROMPT, engine or Digits(), by_digits, SAMPLING, beams, expand, max_steps, seed))


def test_a_search_over_all_digits_finds_the_best_solution() -> None:
    found = run(1, 10)
    assert found.best.text == "9\n\n9\n\n9"
    assert found.best.finish_reason == "stop"
    assert found.best.score == 9
    assert found.num_tokens == 10 * (3 + 3 + 1)


@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 50))
def test_the_same_seed_gives_the_same_solution_and_it_is_whole(beams: int, expand: int, seed: int) -> None:
    found = run(beams, expand, seed=seed)
    assert found == run(beams, expand, seed=seed)
    assert len(found.best.text.split("\n\n")) == LENGTH
    assert bytes(found.best.token_ids).decode() == found.best.text


def test_requests_grow_from_the_beams_that_stay() -> None:
    engine = Digits()
    run(2, 3, engine=engine)
    assert engine.asked[0] == ("", 6, "\n\n")
    assert [n for _, n, _ in engine.asked[1:]] == [3] * 4
    assert [text.count("\n\n") for text, *_ in engine.asked] == [0, 1, 1, 2, 2]


def test_after_the_last_step_the_rest_is_written_at_once() -> None:
    engine = Digits()
    found = run(2, 3, max_steps=1, engine=engine)
    assert [(n, stop) for _, n, stop in engine.asked] == [(6, "\n\n"), (1, None), (1, None)]
    assert len(found.best.text.split("\n\n")) == LENGTH


def test_a_token_that_holds_more_than_the_step_is_cut() -> None:
    engine = Digits(merged=True)
    found = run(1, 10, engine=engine)
    assert found.best.text == "9\n\n9\n\n9"
    assert all("X" not in text for text, *_ in engine.asked)


def test_a_finished_solution_competes_with_longer_ones() -> None:
    class Short(Digits):
        def _one(self, so_far: str, seed: int, stop: str | None) -> Completion:
            text = "9" if not so_far and seed % 2 == 0 else "1\n\n" if not so_far else "2"
            return Completion(self.encode(text), text, "stop", seed)

    found = run(2, 2, engine=Short())
    assert found.best.text == "9"
    assert found.best.score == pytest.approx(9)


def test_a_beam_that_can_not_go_on_is_dropped_and_the_others_go_on() -> None:
    class Refuses(Digits):
        """Takes no beginning in which the best digit stands first, or none at all."""

        def __init__(self, words: str) -> None:
            super().__init__()
            self.words = words

        async def generate(
            self,
            prompt: Prompt,
            sampling: SamplingConfig,
            n: int,
            seed: int,
            max_tokens: int,
            *,
            stop: str | None = None,
        ) -> list[Completion]:
            so_far = bytes(prompt.token_ids[2:]).decode()
            if so_far and so_far[0] in self.words:
                raise RowError("prompt_too_long")
            return await super().generate(prompt, sampling, n, seed, max_tokens, stop=stop)

    assert run(3, 10, engine=Refuses("9")).best.text == "8\n\n9\n\n9"
    with pytest.raises(RowError, match="prompt_too_long"):
        run(3, 10, engine=Refuses("0123456789"))
