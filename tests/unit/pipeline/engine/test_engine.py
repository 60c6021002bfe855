"""The scripted engine keeps the promises that the protocol makes."""

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import EngineConfig, SamplingConfig
from pipeline.engine import Prompt, make_engine
from pipeline.errors import RowError

ENGINE = make_engine(EngineConfig(kind="scripted"))
SAMPLING = SamplingConfig(max_tokens=200)


def draw(n: int, seed: int, max_tokens: int = 200) -> list:
    return asyncio.run(ENGINE.generate(Prompt((1, 2), (), 1), SAMPLING, n, seed, max_tokens))


@given(st.integers(0, 2**48), st.integers(1, 6), st.integers(1, 6))
def test_rounds_give_the_draws_of_one_request(seed: int, first: int, second: int) -> None:
    assert draw(first, seed) + draw(second, seed + first) == draw(first + second, seed)


@given(st.integers(0, 2**48), st.integers(1, 100))
def test_the_limit_cuts_and_says_so(seed: int, limit: int) -> None:
    (cut,), (whole,) = draw(1, seed, limit), draw(1, seed)
    assert len(cut.token_ids) <= limit
    assert whole.text.startswith(cut.text)
    assert cut.finish_reason == ("length" if len(whole.token_ids) > limit else "stop")


@given(st.text(max_size=40))
def test_ends_are_text_lengths_at_characters(text: str) -> None:
    ids = ENGINE.encode(text)
    ends = ENGINE.ends(ids)
    assert (ends[-1] if ends else 0) == len(text)
    for index, end in enumerate(ends):
        whole = bytes(ids[: index + 1]).decode(errors="ignore")
        assert end == len(whole)


def test_every_image_has_one_placeholder_in_its_place() -> None:
    assert ENGINE.chat("a<image>b<image>", 2).count(256) == 2
    assert ENGINE.chat("ab", 2)[:2] == (256, 256)


def test_a_prompt_beyond_the_context_is_a_row_error() -> None:
    with pytest.raises(RowError, match="prompt_too_long"):
        asyncio.run(ENGINE.generate(Prompt((1,) * 5000, (), 1), SAMPLING, 1, 0, 10))


def test_a_shared_rate_is_shared_and_changes_no_draw() -> None:
    engine = make_engine(EngineConfig(kind="scripted", args={"engine_tokens_per_second": 10_000}))

    async def together() -> list:
        ask = engine.generate
        return await asyncio.gather(*(ask(Prompt((1,), (), 1), SAMPLING, 2, seed, 200) for seed in range(0, 20, 2)))

    started = time.monotonic()
    drawn = [completion for request in asyncio.run(together()) for completion in request]
    seconds = time.monotonic() - started
    assert drawn == draw(20, 0)
    assert seconds >= 0.99 * sum(len(completion.token_ids) for completion in drawn) / 10_000


def test_steps_can_be_as_long_as_real_ones() -> None:
    engine = make_engine(EngineConfig(kind="scripted", args={"step_characters": 150}))
    (long,) = asyncio.run(engine.generate(Prompt((1,), (), 1), SAMPLING, 1, 3, 3_000))
    (short,) = draw(1, 3)
    *steps, ending = long.text.split("\n\n")
    *short_steps, short_ending = short.text.split("\n\n")
    assert ending == short_ending
    assert all(len(step) >= 150 and step.startswith(first) for step, first in zip(steps, short_steps, strict=True))


def test_prompts_with_a_word_get_its_ending_and_the_others_what_they_got_before() -> None:
    engine = make_engine(EngineConfig(kind="scripted", args={"endings": {"long?": "x" * 300, "open?": "Who knows."}}))

    def answers(question: str) -> list:
        prompt = Prompt(engine.chat(f"<image>{question}", 1), (), 1)
        return asyncio.run(engine.generate(prompt, SAMPLING, 8, 5, 200))

    assert {one.text.rpartition("\n\n")[2] for one in answers("open?")} == {"Who knows."}
    assert {one.finish_reason for one in answers("long?")} == {"length"}
    assert answers("short?") == draw(8, 5)


def test_its_draws_stay_as_they_are() -> None:
    (one,) = draw(1, 7)
    assert one.text == "Step 0 gives 2.\n\nStep 1 gives 6.\n\nStep 2 gives 0.\n\nFinal answer: 4"
