"""The examples of docs/scoring.md run; the one for a plain vLLM server does so in tests/integration/test_plain_vllm.py."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from stages.reward.server.limits import Limits
from tests.places import POLICY, ROOT
from tests.unit.stages.reward.server.test_run import listening
from tests.unit.stages.reward.test_collate import IMAGES

PAGE = (ROOT / "docs/scoring.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "triangle.png").write_bytes(IMAGES[0])
    monkeypatch.chdir(tmp_path)


def example(heading: str) -> str:
    (found,) = re.findall(r"```python\n(.*?)```", PAGE.split(f"## {heading}\n")[1].split("\n## ")[0], re.DOTALL)
    return str(found)


def test_over_http() -> None:
    names: dict[str, Any] = {}
    with listening(Limits(wait_s=0)) as (port, *_):
        exec(example("Over HTTP").replace(":8000", f":{port}").replace("json.load(", "found = json.load("), names)
    assert names["found"]["step_scores"] == [0.08, 0.22]
    assert set(names["found"]) == {"steps", "spans", "step_scores", "step_low", "step_high", "scores"}


def test_in_python() -> None:
    text = example("In Python").replace("outputs/demo_prm", str(POLICY)).replace(", ...]", "]")
    names: dict[str, Any] = {}
    exec(text.replace("prm.score(", "one = prm.score(").replace("prm.score_many(", "many = prm.score_many("), names)
    assert len(names["one"]) == 2
    assert [len(own) for own in names["many"]] == [1]
