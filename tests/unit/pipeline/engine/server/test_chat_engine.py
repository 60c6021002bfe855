"""Chat completions: the text of seeds where the server has them, prefixes where it goes on with them, and what it lacks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.config import SamplingConfig
from pipeline.engine import Prompt, make_engine
from pipeline.engine.chat import ChatText
from pipeline.engine.server import pool
from pipeline.engine.server.chat_engine import ChatEngine
from pipeline.engine.server.chat_requests import Dialect
from pipeline.engine.server.pictures import data_url
from pipeline.engine.server.start import check_servers
from pipeline.engine.server.trial import picture
from pipeline.errors import RowError, StartError, UserError
from tests.stub_server import Stub, chat_answer
from tests.unit.pipeline.engine.server.conftest import config

Serve = Callable[..., Stub]
SAMPLING = SamplingConfig(max_tokens=64)
PICTURE = picture()
NAME = {"api": "openai", "model": "some-model", "dtype": "auto"}
FOLDER = {"api": "openai", "dtype": "auto"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("FIRST_WAIT_S", 0.01), ("FIRST_TRIAL_S", 0.05), ("LOOK_S", 0.01)):
        monkeypatch.setattr(pool, name, seconds)


def drawn(engine: ChatEngine, *asked: tuple[Prompt, int], n: int = 3, **more: Any) -> list[Any]:
    """What each prompt gets from its seed on, or raises; all are asked at once."""

    async def ask() -> list[Any]:
        try:
            many = (engine.generate(prompt, SAMPLING, n, seed, 64, **more) for prompt, seed in asked)
            return await asyncio.gather(*many, return_exceptions=True)
        finally:
            await engine.close()

    return asyncio.run(ask())


def written(question: str, seed: int) -> str:
    return chat_answer(seed, [question], [data_url(PICTURE.data)], 1.0)


def test_a_name_alone_writes_solutions_with_their_pictures(serve: Serve) -> None:
    stub = serve(model="some-model", owner="somebody")
    engine = make_engine(config(stub, **NAME))
    assert isinstance(engine, ChatEngine)
    stub.begin()
    prompt = Prompt(engine.chat("<image>\nHow high, 高?", 1), (PICTURE,), 6)
    (found,) = drawn(engine, (prompt, 50))
    assert [one.text for one in found] == [written("\nHow high, 高?", 50 + j) for j in range(3)]
    assert [one.seed for one in found] == [50, 51, 52]
    assert all(bytes(one.token_ids).decode() == one.text for one in found)
    assert engine.ends(engine.encode("aé"))[-1] == 2
    (body,) = stub.bodies
    assert {key: value for key, value in body.items() if key != "messages"} == {
        "model": "some-model", "max_completion_tokens": 64, "temperature": 1.0, "top_p": 1.0, "seed": 50, "n": 3
    }  # fmt: skip
    assert [part["type"] for part in body["messages"][0]["content"]] == ["image_url", "text"]
    assert engine.gauges.written_tokens == 21
    assert engine.gauges.asked_tokens == 10 + stub.picture_tokens


def test_pictures_keep_their_places_in_the_text(serve: Serve) -> None:
    stub = serve(model="some-model")
    engine = ChatEngine(config(stub, **NAME))
    stub.begin()
    drawn(engine, (Prompt(engine.chat("First <image>, then <image>?", 2), (PICTURE, PICTURE), 6), 1), n=1)
    parts = stub.bodies[0]["messages"][0]["content"]
    assert [part.get("text", "picture") for part in parts] == ["First ", "picture", ", then ", "picture", "?"]


def test_with_the_models_folder_prefixes_are_continued(serve: Serve, text: ChatText) -> None:
    stub = serve(encode=text.encode)
    settings = config(stub, **FOLDER)
    check_servers(settings, continues=True)
    engine = ChatEngine(settings)
    asked = Prompt(engine.chat("Q", 1), (PICTURE,), 6)
    (whole,) = drawn(engine, (asked, 9), n=1)
    (solution,) = whole
    assert engine.ends(solution.token_ids, asked.token_ids)[-1] == len(solution.text)
    assert 2 not in solution.token_ids
    cut = solution.text.index("\n\n") + 2
    prefix = engine.encode(solution.text[:cut])
    engine = ChatEngine(settings)
    stub.begin()
    (rest,) = drawn(engine, (Prompt(asked.token_ids + prefix, (PICTURE,), 6), 9), n=1, stop="\n")
    assert solution.text[:cut] + rest[0].text == solution.text
    (body,) = stub.bodies
    assert body["messages"][1] == {"role": "assistant", "content": solution.text[:cut]}
    assert body["continue_final_message"] is True
    assert body["add_generation_prompt"] is False
    assert (body["top_k"], body["repetition_penalty"], body["stop"]) == (-1, 1.0, ["\n"])


@pytest.mark.parametrize("prefill", ["begins anew", "refuses"])
def test_a_server_without_prefill_is_told_at_the_start_and_may_write_solutions(serve: Serve, prefill: str) -> None:
    stub = serve(prefill=prefill)
    settings = config(stub, **FOLDER)
    with pytest.raises(UserError) as caught:
        check_servers(settings, continues=True)
    assert str(caught.value) == (
        f"engine.urls: {stub.url} does not go on with a response that was begun (continue_final_message), so it can't continue "
        "prefixes: set rollout.num_draws=0 for solutions alone, have it judge, or take a server with engine.api=vllm"
    )
    check_servers(settings, continues=False)
    engine = ChatEngine(settings)
    begun = Prompt((*engine.chat("Q", 0), *engine.encode("one")), (), 6)
    (refused,) = drawn(engine, (begun, 1))
    assert isinstance(refused, RowError)
    assert refused.reason == "no_prefill"


def test_a_name_alone_can_not_count_prefixes(serve: Serve) -> None:
    stub = serve(model="some-model")
    with pytest.raises(UserError, match="a name alone does not say how many tokens a prefix has"):
        check_servers(config(stub, **NAME), continues=True)


@pytest.mark.parametrize(
    ("server", "dialect"),
    [
        ({"unknown": ("seed",)}, Dialect(seeds=False, prefill=True)),
        ({"unknown": ("n", "max_completion_tokens")}, Dialect("max_tokens", several=False, prefill=True)),
        ({"one_answer": True, "prefill": "refuses"}, Dialect(several=False)),
        ({"owner": "vllm"}, Dialect(ours=True, prefill=True)),
        ({"same": "choices"}, Dialect(several=False, prefill=True)),
    ],
)
def test_what_a_server_does_not_take_is_left_out(serve: Serve, server: dict[str, Any], dialect: Dialect) -> None:
    stub = serve(**{"model": "some-model", "owner": "somebody", **server})
    engine = ChatEngine(config(stub, **NAME))
    assert engine.traits.dialect == dialect
    (found,) = drawn(engine, (Prompt(engine.chat("Q", 1), (PICTURE,), 6), 7))
    seeds = [7, 8, 9] if dialect.seeds else [0, 1, 2]
    assert [one.text for one in found] == [written("Q", seed) for seed in seeds]


def test_a_seed_that_makes_all_draws_equal_is_not_sent(serve: Serve) -> None:
    stub = serve(model="some-model", owner="somebody", same="seeds")
    engine = ChatEngine(config(stub, **NAME))
    assert engine.traits.dialect == Dialect(seeds=False, several=False, prefill=True)
    stub.begin()
    (found,) = drawn(engine, (Prompt(engine.chat("Q", 1), (PICTURE,), 6), 7))
    assert len({one.text for one in found}) == 3
    assert not any("seed" in body or "n" in body for body in stub.bodies)


def test_a_server_that_gives_every_draw_the_same_answer_is_refused(serve: Serve) -> None:
    with pytest.raises(UserError, match="gives 4 draws of one request the same answer at temperature 1"):
        ChatEngine(config(serve(model="some-model", same="all"), **NAME))


def test_answers_of_thinking_alone_say_nothing_about_draws(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stub, "_answer", lambda *_: ("", "length"))
    assert ChatEngine(config(serve(model="some-model"), **NAME)).traits.dialect.seeds


@pytest.mark.parametrize(
    ("other", "line"),
    [
        ({"prefill": "refuses"}, "prefill=False"),
        ({"unknown": ("seed",)}, "seeds=False"),
        ({"one_answer": True}, "several=False"),
        ({"unknown": ("max_completion_tokens",)}, "limit=max_tokens"),
    ],
)
def test_servers_that_take_other_requests_are_refused(serve: Serve, other: dict[str, Any], line: str) -> None:
    """The first one's dialect goes to all: another server would leave out a prefix or a seed without a word."""
    one, two = (serve(model="some-model", owner="somebody", **more) for more in ({}, other))
    with pytest.raises(UserError, match=f"differ in what they take and give .* and .*{line}"):
        ChatEngine(config(one, two, **NAME))


def test_a_server_that_is_busy_in_its_trial_is_not_taken_for_one_without_prefill(serve: Serve) -> None:
    stub = serve(model="some-model", tricks={3: "429"})
    with pytest.raises(StartError, match="429"):
        ChatEngine(config(stub, **NAME))


def test_what_a_server_must_take_is_told(serve: Serve) -> None:
    stub = serve(model="some-model", unknown=("temperature",))
    with pytest.raises(UserError, match="refuses a request of the trial: Unsupported parameter: 'temperature'"):
        ChatEngine(config(stub, **NAME))
    with pytest.raises(UserError, match="does not see pictures: a question with one has 10 tokens, without it 10"):
        ChatEngine(config(serve(model="some-model", every="blind"), **NAME))


@pytest.mark.parametrize("trick", ["429", "500", "half", "reset", "fewer"])
def test_what_a_server_does_to_some_requests_changes_no_answer(serve: Serve, trick: Any) -> None:
    stub = serve(model="some-model")
    engine = ChatEngine(config(stub, **NAME))
    stub.begin()
    stub.tricks = dict.fromkeys(range(0, 12, 3), trick)
    asked = [(Prompt(engine.chat(f"Q{number}", 1), (PICTURE,), 6), 100 * number) for number in range(12)]
    found = drawn(engine, *asked)
    assert [[one.text for one in each] for each in found] == [
        [written(f"Q{number}", 100 * number + j) for j in range(3)] for number in range(12)
    ]
    assert engine.gauges.written_tokens == 12 * 21


def test_an_answer_that_the_server_filters_is_the_rows_fault(serve: Serve) -> None:
    stub = serve(model="some-model")
    engine = ChatEngine(config(stub, **NAME))
    stub.every = "filtered"
    (found,) = drawn(engine, (Prompt(engine.chat("Q", 0), (), 6), 1))
    assert str(found) == "content_filter: no"


def test_another_server_behind_the_same_address_is_not_believed(serve: Serve) -> None:
    stub = serve(model="some-model")
    engine = ChatEngine(config(stub, wait_s=4.0, **NAME))
    stub.fingerprint = "vllm-0.33.0"
    (found,) = drawn(engine, (Prompt(engine.chat("Q", 0), (), 6), 1))
    assert isinstance(found, StartError)
    assert "it differs from the others in the fingerprint of their replies" in str(found)
