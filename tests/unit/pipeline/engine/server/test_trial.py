"""Servers that are not what the settings say, or differ, are refused before they draw, each in one line with its mend."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.engine.chat import ChatText
from pipeline.engine.server.start import check_servers, examined
from pipeline.engine.server.trial import (
    LENGTH,
    QUESTION,
    Examiner,
    differences,
    expected_tokens,
    fitting_picture,
    one_model,
    picture,
    sides_wanted,
)
from pipeline.errors import StartError, UserError
from tests.families import family
from tests.stub_server import Stub
from tests.unit.pipeline.engine.server.conftest import config

Serve = Callable[..., Stub]


def test_equal_servers_pass_and_are_asked_the_same(serve: Serve, text: ChatText) -> None:
    stubs = [serve(), serve()]
    settings = config(*stubs)
    traits, places = examined(settings.urls, Examiner(text, settings, None))
    assert [place.joined for place in places] == [True, True]
    assert stubs[0].bodies == stubs[1].bodies
    assert [body["sampling_params"]["n"] for body in stubs[0].bodies] == [1, 1, 2, 1]
    assert (traits.fingerprint, traits.max_model_len, traits.priorities) == ("vllm-0.32.0-12345678", 4096, True)
    assert traits.picture_tokens > len(text.chat("What does the picture show? Reason in steps.", 1))


@pytest.mark.parametrize(
    ("other", "line"),
    [
        ({"fingerprint": "vllm-0.33.0"}, "the fingerprint of their replies (vllm-0.32.0-12345678 and vllm-0.33.0)"),
        ({"priorities": False}, "--scheduling-policy (True and False)"),
        ({"model": "another"}, "the model's name (demo/policy and another)"),
    ],
)  # fmt: skip
def test_servers_that_differ_are_refused(serve: Serve, text: ChatText, other: dict[str, Any], line: str) -> None:
    one, two = serve(), serve(**other)
    settings = config(one, two)
    with pytest.raises(UserError) as caught:
        examined(settings.urls, Examiner(text, settings, None))
    assert str(caught.value) == (
        f"engine.urls: {one.url} and {two.url} differ in {line}: a run takes servers that draw the same"
    )


@pytest.mark.parametrize(
    ("server", "settings", "words"),
    [
        ({"max_model_len": 8192}, {}, "engine.max_model_len=4096: URL has 8192: set it to this, or start the server with"),
        ({"scale_out": False}, {}, "URL takes no token ids: start it with --enable-scale-out"),
        ({"seeds": False}, {}, "URL does not draw by seeds"),
        ({"picture_tokens": 3}, {}, "--mm-processor-kwargs"),
        ({"every": "blind"}, {}, "URL gave the trial a reply that saw 0 of 1 pictures: it can't draw for this run"),
        ({"every": "fewer"}, {}, "URL gave the trial a reply of 0 draws, asked for 1"),
        ({"key": "x"}, {}, "engine.key_env: URL wants a key, or another one: name the variable that holds it"),
        ({"key": "x"}, {"key_env": "NO_SUCH_KEY"}, "engine.key_env: the environment variable NO_SUCH_KEY is not set"),
        ({"max_num_seqs": 0}, {}, "URL refuses a request of the trial: sampling_params.n must be at most"),
    ],
)  # fmt: skip
def test_a_server_that_is_not_what_the_settings_say_is_refused(
    serve: Serve, text: ChatText, server: dict[str, Any], settings: dict[str, Any], words: str
) -> None:
    stub = serve(**({} if "picture_tokens" in server else server))
    stub.picture_tokens = server.get("picture_tokens", stub.picture_tokens)
    with pytest.raises(UserError) as caught:
        check_servers(config(stub, **settings))
    assert words.replace("URL", stub.url) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_that_does_not_answer_is_left_out_and_none_ends_the_command(
    serve: Serve, text: ChatText, capsys: pytest.CaptureFixture[str]
) -> None:
    stub = serve()
    settings = config(stub).model_copy(update={"urls": (stub.url, "http://127.0.0.1:9")})
    _, places = examined(settings.urls, Examiner(text, settings, None))
    assert [place.joined for place in places] == [True, False]
    assert "http://127.0.0.1:9 is left out for now: ConnectError" in capsys.readouterr().err
    with pytest.raises(StartError, match=r"engine\.urls: none answers: http://127.0.0.1:9: ConnectError"):
        examined(("http://127.0.0.1:9",), Examiner(text, settings, None))


def test_a_model_that_cuts_tiles_needs_their_limit() -> None:
    from types import SimpleNamespace

    cutting: Any = SimpleNamespace(
        processor=SimpleNamespace(image_processor=SimpleNamespace(crop_to_patches=True, max_patches=12))
    )
    with pytest.raises(UserError, match=r"engine\.max_tiles: .* cuts images into tiles: state the limit"):
        Examiner(cutting, config(Stub(url="http://localhost")), None)


def test_the_model_is_the_one_of_the_name_or_loaded_from_it(tmp_path: Path) -> None:
    several = {"data": [{"id": "a"}, {"id": "b"}]}
    assert one_model("u", several, "b")["id"] == "b"
    (tmp_path / "x").mkdir()
    loaded = {"data": [{"id": "l", "root": "/l", "parent": "a"}, {"id": "a", "root": str(tmp_path / "x")}]}
    assert one_model("u", loaded, "x", [tmp_path])["id"] == "a"
    with pytest.raises(UserError, match=r"has other models \(a\): start it with --served-model-name x"):
        one_model("u", {"data": [{"id": "a", "root": "/another/x"}]}, "x", [tmp_path])
    with pytest.raises(
        UserError, match=r"engine\.model=x: u has other models \(a, b\): start it with --served-model-name x"
    ):
        one_model("u", several, "x")


def test_the_picture_of_the_trial_is_always_the_same() -> None:
    assert picture() == picture()


def test_equal_traits_differ_in_nothing(serve: Serve) -> None:
    traits = check_servers(config(serve()))
    assert differences(traits, traits) == ""


@pytest.mark.parametrize(
    ("of", "stated", "sides"),
    [
        ("tiles", {"max_tiles": 6}, (720, 64)),
        ("tiles", {"max_tiles": 24}, (1600, 64)),
        ("pixels", {"max_pixels": 1_000_000}, (1225, 1225)),
        ("pixels", {}, (1415, 1415)),
        (None, {}, (1415, 1415)),
    ],
)
def test_the_picture_of_the_trial_is_larger_than_the_limit(
    of: str | None, stated: dict[str, Any], sides: tuple[int, int]
) -> None:
    settings = config(Stub(url="http://localhost"), **stated)
    assert sides_wanted(of, settings) == sides


def test_another_limit_of_pixels_shows_in_the_length_of_the_trials_prompt(tmp_path: Path) -> None:
    """In the smallest picture it does not; and a picture that the context has no room for is made smaller."""
    model, processor = family("qwen2_5_vl")
    processor.save_pretrained(tmp_path)
    model.config.save_pretrained(tmp_path)
    qwen = ChatText(str(tmp_path))
    ours, theirs = (config(Stub(url="http://localhost"), max_pixels=pixels) for pixels in (200_000, 300_000))
    shown, length = fitting_picture(qwen, ours)
    assert length < expected_tokens(qwen, QUESTION, shown, theirs)
    assert expected_tokens(qwen, QUESTION, picture(), ours) == expected_tokens(qwen, QUESTION, picture(), theirs)
    small = ours.model_copy(update={"max_model_len": length})
    assert fitting_picture(qwen, small)[1] + 2 * LENGTH <= length
