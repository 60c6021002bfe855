"""The examples of docs/rewards.md run, against a service that listens."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
from types import ModuleType
from urllib.parse import urlsplit

import httpx
import pytest

from stages.reward.server.limits import Limits
from tests.families import byte_tokenizer
from tests.places import ROOT
from tests.unit.stages.reward.server.test_run import listening

PAGE = (ROOT / "docs/rewards.md").read_text(encoding="utf-8")


def test_every_example_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    swift, registry = ModuleType("swift"), ModuleType("swift.rewards")
    registry.orms = {}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "swift", swift)
    monkeypatch.setitem(sys.modules, "swift.rewards", registry)
    with listening(Limits(wait_s=0)) as (port, *_):
        monkeypatch.setenv("VISUALPRM_REWARD_URL", f"http://127.0.0.1:{port}")
        names: dict[str, object] = {}
        for example in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
            exec(example.replace(":8000", f":{port}"), names)
        reward = names["reward"]
        assert callable(reward)
        assert reward(["1 + 1?"], ["x\n\nFinal answer: 2"], answer=["2"]) == [1.0]
        row, tokenizer = names["row"], byte_tokenizer()
        assert callable(row)
        ids = tokenizer.encode("x\n\nyy", add_special_tokens=False)
        assert row(ids, tokenizer, "2", {"question": "?"}) == [0.01, 0, 0, 0, 0.02]
        assert [each.value for each in names["found"]] == [0.11]  # type: ignore[attr-defined]
        assert list(registry.orms) == ["visualprm"]
        (command,) = re.findall(r"```\n(curl.*?)```", PAGE, re.DOTALL)
        done = subprocess.run(
            ["bash", "-c", command.replace(":8000", f":{port}")], capture_output=True, text=True, check=True
        )
        assert json.loads(done.stdout)["reward"] == 0.11


def test_the_addresses_that_trainers_are_given_answer_them() -> None:
    text = "x\n\nFinal answer: 2"
    payloads = {
        "/openrlhf": {"query": ["1 + 1?" + text], "prompts": ["1 + 1?"], "labels": ["2"]},
        "/slime": {"prompt": "1 + 1?", "response": text, "label": "2"},
    }
    (flags,) = re.findall(r"```\n(--reward.*?)```", PAGE, re.DOTALL)
    addresses = re.findall(r'"(http:.*?)"', flags)
    (key,) = re.findall(r"--reward-key (\w+)", flags)
    with listening(Limits(wait_s=0)) as (port, *_):
        openrlhf, slime = (
            httpx.post(address.replace(":8000", f":{port}"), json=payloads[urlsplit(address).path], timeout=60).json()
            for address in addresses
        )
    assert openrlhf["rewards"] == openrlhf["scores"] == [0.01]
    assert slime[key] == 1.0


def test_verl_is_given_a_file_with_the_function() -> None:
    (program,) = re.findall(r"custom_reward_function\.path=\$\(python -c '(.*?)'\)", PAGE)
    (name,) = re.findall(r"custom_reward_function\.name=(\w+)", PAGE)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert callable(runpy.run_path(done.stdout.strip())[name])
