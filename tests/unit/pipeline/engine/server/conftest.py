"""Servers in this process, and an engine that asks them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from pipeline.config import EngineConfig
from pipeline.engine.chat import ChatText
from pipeline.engine.server.trial import QUESTION, expected_tokens, picture
from tests.families import POLICY
from tests.stub_server import Stub, running


@pytest.fixture(scope="session")
def text() -> ChatText:
    return ChatText(str(POLICY))


@pytest.fixture(autouse=True)
def _read_once(text: ChatText, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo's tokenizer, which every engine and trial here would read anew."""
    for module in ("pipeline.engine.chat", "pipeline.engine.server.engine", "pipeline.engine.server.chat_engine"):
        monkeypatch.setattr(f"{module}.ChatText", lambda *_: text)


@pytest.fixture(scope="session")
def like_demo(text: ChatText) -> dict[str, Any]:
    """What a stub must be told of the demo's policy to pass for it."""
    ids = text.chat(QUESTION, 1)
    (placeholder,) = set(ids) - set(text.chat(QUESTION, 0)) - {0}
    config = EngineConfig(kind="server", urls=("http://localhost",), dtype="float32")
    expected = expected_tokens(text, QUESTION, picture(), config)
    return {"root": str(POLICY), "placeholder": placeholder, "picture_tokens": expected - len(ids) + 1}


@pytest.fixture
def serve(like_demo: dict[str, Any]) -> Iterator[Callable[..., Stub]]:
    """`serve(**differences)` → a server that runs until the test ends."""
    with ExitStack() as stack:

        def start(port: int = 0, **more: Any) -> Stub:
            return stack.enter_context(running(Stub(**like_demo, **more), port))

        yield start


def config(*stubs: Stub, **more: Any) -> EngineConfig:
    settings: dict[str, Any] = {"kind": "server", "model": str(POLICY), "dtype": "float32", **more}
    return EngineConfig(urls=tuple(stub.url for stub in stubs), **settings)
