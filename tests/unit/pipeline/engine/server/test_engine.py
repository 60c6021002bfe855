"""An engine behind URLs gives the draws of their seeds, whatever its servers do meanwhile."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, get_args

import pytest

from pipeline.config import EngineConfig, SamplingConfig
from pipeline.engine import Completion, Prompt
from pipeline.engine.server import pool
from pipeline.engine.server.engine import ServerEngine
from pipeline.engine.server.trial import picture, sides_wanted
from pipeline.errors import RowError, StartError
from tests.stub_server import LONGEST, Stub, Trick, drawn
from tests.unit.pipeline.engine.server.conftest import config

Serve = Callable[..., Stub]
SAMPLING = SamplingConfig(max_tokens=64)
PICTURE = picture(sides_wanted(None, EngineConfig(kind="server", urls=("http://localhost",), dtype="float32")))
"""The one that servers know from their trial, of a policy whose pictures have one size."""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(pool, "FIRST_TRIAL_S", 0.05)
    monkeypatch.setattr(pool, "LOOK_S", 0.01)


def prompts(engine: ServerEngine, count: int) -> list[Prompt]:
    return [Prompt(engine.chat(f"<image>\nQuestion {number}?", 1), (PICTURE,), 1) for number in range(count)]


def expected(prompt: Prompt, n: int, seed: int, most: int = 64) -> list[Completion]:
    shown = [image.sha256 for image in prompt.images]
    ids = [drawn(seed + j, prompt.token_ids, shown, 1.0, most) for j in range(n)]
    return [
        Completion(tuple(each), " ".join(map(str, each)), "length" if len(each) == most else "stop", seed + j)
        for j, each in enumerate(ids)
    ]


def generated(engine: ServerEngine, asked: list[Prompt], n: int = 4, seed: int = 1000) -> list[Any]:
    """The draws of each prompt, or what it raised; all are asked for at once."""

    async def all_of_them() -> list[Any]:
        try:
            many = (engine.generate(each, SAMPLING, n, seed * number, 64) for number, each in enumerate(asked, 1))
            return await asyncio.gather(*many, return_exceptions=True)
        finally:
            await engine.close()

    return asyncio.run(all_of_them())


def all_right(engine: ServerEngine, found: list[Any], asked: list[Prompt], n: int = 4) -> bool:
    return found == [expected(each, n, 1000 * number) for number, each in enumerate(asked, 1)]


def tokens_of(asked: list[Prompt]) -> int:
    """Of all draws that `generated` asks for."""
    whole = (expected(each, 4, 1000 * number) for number, each in enumerate(asked, 1))
    return sum(len(one.token_ids) for drawn in whole for one in drawn)


def test_draws_are_those_of_their_seeds_and_a_picture_goes_to_each_server_once(serve: Serve) -> None:
    stubs = [serve(), serve()]
    engine = ServerEngine(config(*stubs))
    for stub in stubs:
        # As after a start anew: the trial's picture is not there.
        stub._known.clear()
        stub.begin()
    asked = prompts(engine, 1) + prompts(engine, 24)
    first = generated(engine, asked[:1])
    engine = ServerEngine(config(*stubs))
    for stub in stubs:
        stub.begin()
    assert all_right(engine, generated(engine, asked), asked)
    assert first == [expected(asked[0], 4, 1000)]
    for stub in stubs:
        assert len(stub.bodies) > 5
        assert stub.in_full == []
    gauges = engine.gauges
    assert gauges.answered == 25
    assert gauges.written_tokens == tokens_of(asked)
    assert gauges.prompt_tokens == 4 * gauges.asked_tokens
    assert gauges.faults == 0


def test_a_request_is_what_vllm_takes(serve: Serve) -> None:
    stub = serve()
    engine = ServerEngine(config(stub))
    stub._known.clear()
    stub.begin()
    (prompt,) = prompts(engine, 1)
    generated(engine, [prompt])
    by_hash, in_full = stub.bodies
    assert by_hash == {
        "token_ids": list(prompt.token_ids),
        "sampling_params": {
            "n": 4,
            "seed": 1000,
            "temperature": 1.0,
            "top_p": 1.0,
            "top_k": 0,
            "max_tokens": 64,
            "stop_token_ids": list(engine._stop_ids),
        },
        "output_mode": "text",
        "return_token_ids": True,
        "content_parts": [{"type": "image_url", "uuid": PICTURE.sha256}],
        "priority": 1,
    }
    assert in_full["content_parts"][0]["url"].startswith("data:image/png;base64,")
    assert stub.in_full == [PICTURE.sha256]


@pytest.mark.parametrize("trick", [trick for trick in get_args(Trick) if trick not in ("slow", "filtered", "401")])
@pytest.mark.parametrize("servers", [1, 2])
def test_what_a_server_does_to_some_requests_changes_no_draw(serve: Serve, trick: Trick, servers: int) -> None:
    stubs = [serve() for _ in range(servers)]
    engine = ServerEngine(config(*stubs))
    for stub in stubs:
        stub.begin()
    stubs[0].tricks = dict.fromkeys(range(0, 24, 3), trick)
    asked = prompts(engine, 24)
    assert all_right(engine, generated(engine, asked), asked)
    assert engine.gauges.faults >= 4
    # Of every draw one answer counts, however often it was asked for.
    assert (engine.gauges.answered, engine.gauges.written_tokens) == (24, tokens_of(asked))


def test_a_slow_reply_is_given_up_and_asked_for_again(serve: Serve) -> None:
    stub = serve(slow_s=2.0)
    engine = ServerEngine(config(stub, timeout_s=0.5))
    stub.begin()
    stub.tricks = {1: "slow"}
    asked = prompts(engine, 6)
    assert all_right(engine, generated(engine, asked), asked)
    assert engine.gauges.faults == 1


@pytest.mark.parametrize("status", ["500", "403"])
def test_a_request_that_a_server_always_fails_on_loses_its_row_alone(serve: Serve, status: Trick) -> None:
    """Also where it keeps the request out, and passes its trial each time."""
    stub = serve()
    engine = ServerEngine(config(stub))
    asked = prompts(engine, 8)
    poison = list(asked[3].token_ids)
    plain = stub.trick
    stub.trick = lambda body, headers: plain(body, headers) or (status if body["token_ids"] == poison else None)  # type: ignore[method-assign]
    found = generated(engine, asked)
    assert isinstance(found[3], RowError)
    assert str(found[3]) == f"server_fault: 6 tries, the last: {status} told to answer {status}"
    del found[3]
    assert found == [expected(each, 4, 1000 * number) for number, each in enumerate(asked, 1) if number != 4]


def test_a_long_draw_under_way_is_no_silence(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "LONGEST_WAIT_S", 0.05)
    stub = serve(slow_s=1.5)
    engine = ServerEngine(config(stub, wait_s=0.4))
    stub.begin()
    begun: list[float] = []
    plain = stub.trick

    def trick(body: dict[str, Any], headers: dict[str, str]) -> Trick | None:
        """One draw takes long; until it is done the others find a server that is busy, for longer than it may be silent."""
        plain(body, headers)
        begun.append(time.monotonic())
        if len(begun) == 1:
            return "slow"
        return "429" if begun[-1] < begun[0] + 1.0 else None

    stub.trick = trick  # type: ignore[method-assign]
    asked = prompts(engine, 3)
    found = generated(engine, asked)
    assert all_right(engine, found, asked), found


def test_a_spent_balance_ends_the_run_and_no_row(serve: Serve) -> None:
    """The trial still passes: it is smaller than a request for draws."""
    stub = serve()
    engine = ServerEngine(config(stub, wait_s=60.0))
    asked = prompts(engine, 3)
    mine = [list(each.token_ids) for each in asked]
    plain = stub.trick
    stub.trick = lambda body, headers: plain(body, headers) or ("402" if body["token_ids"] in mine else None)  # type: ignore[method-assign]
    found = generated(engine, asked)
    assert [str(each) for each in found] == [f"engine.urls: {stub.url}: 402 told to answer 402"] * 3
    assert all(isinstance(each, StartError) for each in found)


def test_a_spent_balance_at_the_start_is_to_be_resumed(serve: Serve) -> None:
    with pytest.raises(StartError, match=r"engine\.urls: none answers: .*: 402 told to answer 402"):
        ServerEngine(config(serve(every="402"), wait_s=1.0))


@pytest.mark.parametrize("trick", ["429", "500", "blind", "fewer", "half", "402"])
def test_servers_that_never_do_end_the_run_in_one_line(serve: Serve, trick: Trick) -> None:
    stub = serve()
    engine = ServerEngine(config(stub, wait_s=0.5))
    stub.every = trick
    found = generated(engine, prompts(engine, 3))
    assert all(isinstance(each, StartError) for each in found), found
    line = str(found[0])
    assert line.startswith(f"engine.urls: the server has not answered for 0.5 s (engine.wait_s), the last: {stub.url}")
    assert "\n" not in line


def test_a_server_that_is_gone_is_left_out_and_asked_again_once_it_is_back(
    serve: Serve, like_demo: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.stub_server import running

    stay = serve()
    with running(Stub(**like_demo)) as gone:
        engine = ServerEngine(config(stay, gone))
        url, port = gone.url, int(gone.url.rsplit(":", 1)[1])
    asked = prompts(engine, 24)

    async def through_it() -> list[Any]:
        found = await asyncio.gather(
            *(engine.generate(each, SAMPLING, 4, 1000 * number, 64) for number, each in enumerate(asked[:4], 1))
        )
        assert not engine._pool.places[1].joined
        with running(Stub(**like_demo), port) as back:
            while not engine._pool.places[1].joined:
                found[0] = await engine.generate(asked[0], SAMPLING, 4, 1000, 64)
                await asyncio.sleep(0.02)
            back.begin()
            found += await asyncio.gather(
                *(engine.generate(each, SAMPLING, 4, 1000 * number, 64) for number, each in enumerate(asked[4:], 5))
            )
            assert back.bodies
            await engine.close()
        return found

    assert all_right(engine, asyncio.run(through_it()), asked)
    said = capsys.readouterr().err
    assert f"{url} is left out for now: " in said
    assert f"{url} is asked again" in said


def test_a_server_that_comes_back_as_another_one_stays_left_out(
    serve: Serve, like_demo: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.stub_server import running

    with running(Stub(**like_demo)) as gone:
        engine = ServerEngine(config(gone, wait_s=4.0))
        port = int(gone.url.rsplit(":", 1)[1])
    with running(Stub(**like_demo, fingerprint="vllm-0.33.0-87654321"), port) as other:
        # Without this, it would be asked as the first one was.
        engine._pool.places[0].joined = False
        other.begin()
        (found,) = generated(engine, prompts(engine, 1))
    assert isinstance(found, StartError)
    what = (
        "it differs from the others in the fingerprint of their replies (vllm-0.32.0-12345678 and vllm-0.33.0-87654321)"
    )
    assert what in str(found)
    assert what in capsys.readouterr().err


def test_more_draws_than_a_server_takes_at_once_are_asked_for_in_parts(serve: Serve) -> None:
    stub = serve(max_num_seqs=5)
    engine = ServerEngine(config(stub))
    stub.begin()
    asked = prompts(engine, 2)
    assert all_right(engine, generated(engine, asked, n=12), asked, 12)
    assert [body["sampling_params"]["n"] for body in stub.bodies].count(5) == 4
    assert engine.gauges.faults == 0


def test_without_priorities_none_are_asked_for(serve: Serve) -> None:
    stub = serve(priorities=False)
    engine = ServerEngine(config(stub))
    stub.begin()
    asked = prompts(engine, 2)
    assert all_right(engine, generated(engine, asked), asked)
    assert not any("priority" in body for body in stub.bodies)


def test_the_key_goes_in_one_header_alone(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLICY_KEY", "sekret-7")
    stub = serve(key="sekret-7")
    settings = config(stub, key_env="POLICY_KEY")
    engine = ServerEngine(settings)
    asked = prompts(engine, 3)
    assert all_right(engine, generated(engine, asked), asked)
    assert all(headers["Authorization"] == "Bearer sekret-7" for headers in stub.headers)
    assert "sekret-7" not in json.dumps(stub.bodies) + settings.model_dump_json()


def test_what_the_model_cannot_take_is_the_rows_fault(serve: Serve) -> None:
    stub = serve()
    engine = ServerEngine(config(stub))
    long = Prompt(engine.encode("word " * 5000), (), 1)
    (found,) = generated(engine, [long])
    assert isinstance(found, RowError)
    assert found.reason == "prompt_too_long"
    engine = ServerEngine(config(stub, max_tiles=4))
    (found,) = generated(engine, [Prompt(engine.chat("<image>?", 1), (PICTURE,), 6)])
    assert str(found) == "other_max_tiles: 6, and engine.max_tiles is 4"


def test_a_draw_that_the_context_cut_is_none(serve: Serve) -> None:
    engine = ServerEngine(config(serve()))
    (prompt,) = prompts(engine, 1)
    expanded = 4096 - 1
    filler = engine.encode("word ")
    long = Prompt((filler * expanded)[:expanded], (), 1)

    async def draws() -> list[Any]:
        try:
            asked = [
                # Draws are shorter than this, and end of themselves.
                engine.generate(prompt, SAMPLING, 2, 5, LONGEST + 1),
                # Cut where it was asked to be.
                engine.generate(prompt, SAMPLING, 2, 5, 1),
                # The context has room for one token.
                engine.generate(long, SAMPLING, 2, 5, LONGEST + 1),
            ]
            return await asyncio.gather(*asked, return_exceptions=True)
        finally:
            await engine.close()

    whole, short, cut = asyncio.run(draws())
    assert whole == expected(prompt, 2, 5, LONGEST + 1)
    assert short == expected(prompt, 2, 5, 1)
    assert isinstance(cut, RowError)
    assert cut.reason == "prompt_too_long"


def test_a_draw_that_ends_with_an_id_which_only_the_server_knows_is_none(serve: Serve) -> None:
    engine = ServerEngine(config(stub := serve()))
    stub.alphabet = (engine._text.tokenizer.eos_token_id,)
    (asked,) = prompts(engine, 1)
    # As if the folder here had no generation_config.json, and the server's had one.
    engine._foreign_ends, engine._end_ids = engine._end_ids, frozenset()
    (found,) = generated(engine, [asked])
    assert isinstance(found, RowError)
    assert found.reason == "unknown_end_id"
