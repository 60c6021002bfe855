"""Whole runs on a server in the test's process: a budget, a server that fails for good, and what comes of the same command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import EngineConfig
from pipeline.engine.chat import ChatText
from pipeline.engine.server.trial import QUESTION, expected_tokens, picture
from tests.families import POLICY
from tests.integration.conftest import Command, scripted
from tests.integration.test_servers import shards
from tests.stub_server import Stub, running

pytestmark = [pytest.mark.more, pytest.mark.timeout(900)]


def policy() -> Stub:
    """A server whose draws are letters and blank lines, as the demo's tokenizer has them."""
    text = ChatText(str(POLICY))
    ids = text.chat(QUESTION, 1)
    (placeholder,) = set(ids) - set(text.chat(QUESTION, 0)) - {0}
    length = expected_tokens(
        text, QUESTION, picture(), EngineConfig(kind="server", urls=("http://a",), dtype="float32")
    )
    alphabet = [token for each in ("a", "b", "7", "\n\n", "\n\n") for token in text.encode(each)]
    return Stub(
        placeholder=placeholder,
        picture_tokens=length - len(ids) + 1,
        alphabet=alphabet,
        decode=lambda found: str(text.tokenizer.decode(list(found))),
    )


def test_a_run_ends_in_one_line_and_resumes_to_the_shards_of_one_that_nothing_ended(
    visualprm: Command, tmp_path: Path
) -> None:
    with running(policy()) as stub:
        engine: dict[str, Any] = {
            "kind": "server",
            "model": str(POLICY),
            "dtype": "float32",
            "urls": [stub.url],
            "wait_s": 2.0,
        }
        more = {"engine": {**engine, "max_in_flight": 4}, "ray": {"rows_per_block": 2}}
        folder = tmp_path / "one"
        folder.mkdir()
        config = scripted(folder, **more)
        spent = visualprm("dataset", config, "budget.completion_tokens=500")
        assert spent.returncode == 2, spent.stderr[-2000:]
        (line,) = [line for line in spent.stderr.splitlines() if "budget.completion_tokens=500 is spent" in line]
        assert line.endswith(
            "no further problem is begun, and what is done is kept; raise it, and the same command resumes"
        )
        done = len(list((folder / "run" / "checkpoint").glob("*.parquet")))
        assert 0 < done < 12
        asked = len(stub.bodies)
        stub.tricks = dict.fromkeys(range(asked + 20, asked + 10_000), "500")
        gone = visualprm("dataset", config)
        assert gone.returncode == 1, gone.stderr[-2000:]
        last = gone.stderr.splitlines()[-1]
        assert "engine.urls: the server has not answered for 2 s (engine.wait_s), the last: " in last
        assert last.endswith("; the same command resumes from here")
        assert "Traceback" not in gone.stderr
        stub.tricks = {}
        whole = visualprm("dataset", config)
        assert whole.returncode == 0, whole.stderr[-2000:]
        other = tmp_path / "other"
        other.mkdir()
        undisturbed = visualprm("dataset", scripted(other, **more))
        assert undisturbed.returncode == 0, undisturbed.stderr[-2000:]
    assert shards(folder) == shards(other)
    tokens = [json.loads((each / "data" / "stats.json").read_text())["server_tokens"] for each in (folder, other)]
    # What was drawn twice was used twice.
    assert tokens[0]["completion"] >= tokens[1]["completion"] > 500
    card = (other / "data" / "README.md").read_text()
    assert f"{tokens[1]['prompt']:,} tokens of prompts, {tokens[1]['completion']:,} tokens written" in card
    assert "vllm-0.32.0-12345678" in card
