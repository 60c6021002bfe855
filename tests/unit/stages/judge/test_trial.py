"""A judge whose servers don't answer by a schema is told before it judges."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pipeline.config import EngineConfig
from pipeline.errors import UserError
from stages.judge.trial import check_schema
from tests.stub_server import Stub, running


@pytest.mark.parametrize(("writes", "fault"), [("json", None), ("text", "no_json"), ("babble", "cut")])
def test_answers_must_fit_the_schema(writes: Any, fault: str | None) -> None:
    with running(Stub(model="a-judge", writes=writes)) as stub:
        settings = EngineConfig(kind="server", api="openai", model="a-judge", urls=(stub.url,))
        if fault is None:
            asyncio.run(check_schema(settings))
            return
        with pytest.raises(UserError) as caught:
            asyncio.run(check_schema(settings))
    assert str(caught.value) == (
        f"engine.urls: the judge's answers don't fit a schema ({fault}): take a server that heeds response_format with a JSON "
        "schema"
    )
