"""Real benchmark questions through the real engine: formats, several images, Chinese, LaTeX, option letters.

The demo policy can't answer them; what counts is that every row arrives in a shard with its columns right.
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import PIL.Image
import pytest

from tests.integration.conftest import Command, scripted
from tests.integration.test_dataset import published
from tests.places import ROOT, SHARED

QUESTIONS = SHARED / "questions"
MODES = {"chartqa": ["relaxed", "list", "text"], "gaokao_mm": ["choice"], "wemath": ["choice"]}
pytestmark = [
    pytest.mark.more,
    pytest.mark.skipif(not QUESTIONS.exists(), reason="needs the sample questions beside the repository"),
]


def sources(limit: int) -> list[dict]:
    return [
        {
            "name": folder.name,
            "path": str(folder / "questions.jsonl"),
            "images": str(folder / "images"),
            "limit": limit,
            "verify": MODES.get(folder.name, ["choice", "number", "math", "list", "text"]),
            # Some of its options stand in the pictures alone.
            **({"gold": "letter"} if folder.name in ("dynamath", "gaokao_mm") else {}),
        }
        for folder in sorted(QUESTIONS.iterdir())
    ]


def test_real_questions_reach_the_shards(visualprm: Command, tmp_path: Path) -> None:
    config = scripted(
        tmp_path,
        prompt="prompts/boxed_v1.txt",
        sources=sources(limit=6),
        engine={"model": str(ROOT / "demo" / "policy")},
        sampling={"num_solutions": 2, "max_tokens": 40},
        rollout={"num_draws": 2},
    )
    done = visualprm("dataset", config, timeout=1500)
    assert done.returncode == 0, done.stderr[-3000:]
    refused = [json.loads(line) for line in (tmp_path / "run" / "quarantine" / "load.jsonl").read_text().splitlines()]
    rows = published(tmp_path / "data")
    assert len(rows) == 2 * (36 - len(refused))
    assert len(refused) <= 1
    assert {row["source"] for row in rows} == {folder.name for folder in QUESTIONS.iterdir()}
    assert any(len(row["images"]) > 1 for row in rows)
    for row in rows:
        assert row["question"].strip() in row["prompt"]
        assert "\n\n".join(step["step"] for step in row["steps_with_score"]) == row["response"]
        for image in row["images"]:
            PIL.Image.open(io.BytesIO(image["bytes"])).load()
