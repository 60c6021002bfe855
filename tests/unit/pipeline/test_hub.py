"""A name of the hub: had, unknown, or not to be asked for; always one line, and soon."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from huggingface_hub import HfApi, constants
from huggingface_hub.errors import HfHubHTTPError

from pipeline.errors import StartError, UserError
from pipeline.hub import TIMEOUT_S, ask_hub
from tests.unit.pipeline.test_model_files import cached


@pytest.fixture(autouse=True)
def own_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty cache, a hub that may be asked, and no answer remembered."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.chdir(tmp_path)
    ask_hub.cache_clear()
    yield
    ask_hub.cache_clear()


def answers(monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> list[tuple[str, float]]:
    """What the hub is asked from here on; it answers by `error`, or has all."""
    asked: list[tuple[str, float]] = []

    def info(_: HfApi, name: str, timeout: float) -> None:
        asked.append((name, timeout))
        if error is not None:
            raise error

    monkeypatch.setattr(HfApi, "model_info", info)
    monkeypatch.setattr(HfApi, "dataset_info", info)
    return asked


def refusal(status: int) -> HfHubHTTPError:
    return HfHubHTTPError("no", response=httpx2.Response(status, request=httpx2.Request("GET", "https://hub/x")))


NO_NETWORK = httpx2.ConnectError("Name or service not known")


def test_it_is_asked_once_and_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answers(monkeypatch, None)
    for _ in range(3):
        ask_hub("some/model")
    assert asked == [("some/model", TIMEOUT_S)]


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_a_mistyped_folder_is_told_with_where_it_was_looked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: Any
) -> None:
    answers(monkeypatch, refusal(404))
    with pytest.raises(UserError) as caught:
        ask_hub("outputs/nope", kind)
    assert str(caught.value) == (
        f"outputs/nope: no such folder (looked for as {tmp_path}/outputs/nope), and the hub gives no {kind} of this name "
        f"(404): correct the name; a {kind} that is not public needs `hf auth login`"
    )


@pytest.mark.parametrize("error", [NO_NETWORK, httpx2.ReadTimeout("timed out"), refusal(503)])
def test_a_hub_that_does_not_answer_may_answer_later(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    answers(monkeypatch, error)
    with pytest.raises(StartError, match="the hub can't be asked for a model of this name"):
        ask_hub("some/model")


def test_without_a_network_the_cache_is_used_from_then_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (cached(tmp_path, "some/model") / "config.json").touch()
    answers(monkeypatch, NO_NETWORK)
    ask_hub("some/model")
    told = "some/model: the hub can't be reached (Name or service not known): its cache is used\n"
    assert capsys.readouterr().err == told
    assert (constants.HF_HUB_OFFLINE, os.environ["HF_HUB_OFFLINE"]) == (True, "1")


def test_where_asking_is_forbidden_nothing_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    asked = answers(monkeypatch, None)
    with pytest.raises(UserError, match="HF_HUB_OFFLINE forbids to ask"):
        ask_hub("some/model")
    (cached(tmp_path, "some/model") / "config.json").touch()
    ask_hub("some/model")
    with pytest.raises(UserError, match="as a dataset of the hub it is not at hand"):
        ask_hub("some/model", "dataset")
    assert asked == []
