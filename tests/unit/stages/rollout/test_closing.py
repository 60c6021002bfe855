"""Thinking beyond the limit is closed, and the answer drawn after it; what doesn't think so long is drawn on as it is."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.config import EngineConfig, SamplingConfig, parse_config
from pipeline.engine import Completion, Prompt
from pipeline.engine.policy import policy_key
from pipeline.engine.scripted import ScriptedEngine
from pipeline.seeds import base_seed
from stages.annotate.sample import Template
from stages.rollout.closing import Closing, draw

SAMPLING = SamplingConfig(max_tokens=400)
TEXT = "\nEnough.\n</think>\n\n"


class Recording(ScriptedEngine):
    def __init__(self, **args: object) -> None:
        super().__init__(EngineConfig(kind="scripted", args={"thinking": "opened", **args}))
        self.asked: list[tuple[Prompt, int, int, int]] = []

    async def generate(
        self, prompt: Prompt, sampling: SamplingConfig, n: int, seed: int, max_tokens: int, *, stop: str | None = None
    ) -> list[Completion]:
        self.asked.append((prompt, n, seed, max_tokens))
        return await super().generate(prompt, sampling, n, seed, max_tokens)


def drawn(engine: Recording, before: str = "", n: int = 4, seed: int = 7, limit: int | None = 40) -> list[Completion]:
    ids = engine.encode(before)
    prompt = Prompt(engine.chat("How many?", 0) + ids, (), 1)
    closing = None if limit is None else Closing(TEXT, engine.encode(TEXT), limit, engine.opening != "")
    room = SAMPLING.max_tokens - len(ids)
    return asyncio.run(draw(engine, prompt, (before, ids), SAMPLING, n, seed, room, closing))


@pytest.mark.parametrize("mode", ["opened", "written"])
def test_thinking_without_an_end_is_closed(mode: str) -> None:
    engine = Recording(thinking=mode, unclosed=1.0)
    plain = drawn(Recording(thinking=mode, unclosed=1.0), limit=None)
    found = drawn(engine)
    prompt = Prompt(engine.chat("How many?", 0), (), 1)
    first, *seconds = engine.asked
    assert first == (prompt, 4, 7, 40)
    for place, (one, whole) in enumerate(zip(found, plain, strict=True)):
        thought, closed, answer = one.text.partition(TEXT)
        assert (len(thought), closed, one.seed) == (40, TEXT, 7 + place)
        # The thinking is that of the draw without a limit, as far as it goes.
        assert whole.text.startswith(thought)
        assert "</think>" not in answer
        assert one.finish_reason == "stop"
        assert one.token_ids == engine.encode(one.text)
        ids = engine.encode(thought + TEXT)
        asked = Prompt(prompt.token_ids + ids, (), 1)
        assert seconds[place] == (asked, 1, base_seed("after thinking", 7 + place), 400 - len(ids))


def test_draws_do_not_depend_on_rounds() -> None:
    engine = Recording(unclosed=0.5)
    assert drawn(engine, n=2) + drawn(engine, n=4, seed=9) == drawn(engine, n=6)


def test_an_answer_that_had_begun_goes_on_without_the_text() -> None:
    engine = Recording()
    found = drawn(engine, n=40, limit=60)
    begun = [one for one in found if len(one.text.partition("</think>")[0]) < 60 <= len(one.text)]
    assert begun
    assert all(one.text.count("</think>") == 1 and TEXT not in one.text for one in begun)
    assert all((one.finish_reason == "stop" and "answer" in one.text) or "tell" in one.text for one in begun)


def test_after_the_thinking_there_is_one_request_with_all_the_room() -> None:
    engine = Recording(unclosed=1.0)
    before = "Perhaps.\n</think>\n\nStep 1 gives 2.\n\n"
    drawn(engine, before)
    assert [(n, seed, room) for _, n, seed, room in engine.asked] == [(4, 7, 400 - len(before))]
    silent = Recording(thinking="written")
    drawn(silent, "Step 1 gives 2.\n\n")
    assert len(silent.asked) == 1


def test_a_prefix_that_has_thought_enough_is_closed_at_once() -> None:
    engine = Recording(unclosed=1.0)
    before = "Perhaps 1 is 2. Perhaps 2 is 3. Perhaps.\n\n"
    found = drawn(engine, before)
    assert [(n, room) for _, n, _, room in engine.asked] == [(1, 400 - len(before) - len(TEXT))] * 4
    assert [one.seed for one in found] == [7, 8, 9, 10]
    assert all(one.text.startswith(TEXT) for one in found)


def test_what_ends_within_the_limit_needs_no_second_request() -> None:
    engine = Recording(thinking="written")
    drawn(engine, limit=399)
    assert len(engine.asked) == 1


class Cut(Recording):
    """Ends a draw inside a character."""

    async def generate(self, *given: object, **more: object) -> list[Completion]:
        found = await super().generate(*given, **more)  # type: ignore[arg-type]
        one = found[0]
        return (
            [Completion((*one.token_ids[:-1], 0xE4), one.text[:-1], "length", one.seed)]
            if len(self.asked) == 1
            else found
        )


def test_a_character_that_was_begun_is_left_out() -> None:
    engine = Cut(unclosed=1.0)
    (one,) = drawn(engine, n=1)
    assert one.token_ids == engine.encode(one.text)
    assert one.text.index(TEXT) == 39


def test_the_closing_text_is_the_prompt_files_last_part() -> None:
    template = Template("Work it out.\n\n{question}\n\n{close_thinking}\nEnough.\n</think>\n")
    assert template.fill("How?") == "Work it out.\n\nHow?"
    assert template.closing == TEXT
    assert Template("{question}\n").closing is None
    assert Template("{question}\n").fill("How?") == "How?\n"


def test_the_limit_names_the_policy_where_it_is_set() -> None:
    data = {"name": "x", "sources": [{"name": "s", "path": "p"}]}
    plain, limited = (parse_config({**data, "sampling": more}) for more in ({}, {"max_thinking_tokens": 100}))
    assert policy_key("m", "s", plain) != policy_key("m", "s", limited)
    assert "max_thinking_tokens" not in plain.model_dump()["sampling"]
    with pytest.raises(Exception, match="max_thinking_tokens=1024 leaves no room for an answer"):
        parse_config({**data, "sampling": {"max_thinking_tokens": 1024}})
