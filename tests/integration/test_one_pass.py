"""A solution in one request to vLLM, in one request a step, and on transformers: the same scores."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from stages.reward.model import Candidate, ProcessRewardModel
from tests.families import FOR_VLLM, family
from tests.unit.stages.reward.test_collate import IMAGES, noise

pytestmark = [pytest.mark.integration, pytest.mark.trial]

CANDIDATES = [
    Candidate("What is 1 + 2 + 3?", tuple(IMAGES[:1]), ("1 + 2 = 3.", "3 + 3 = 6.", "So 6, + + +")),
    # The second step differs: the first one's logits are not asked for again where the cache holds its tokens.
    Candidate("What is 1 + 2 + 3?", tuple(IMAGES[:1]), ("1 + 2 = 3.", "3 + 3 = 7.", "So 7.")),
    Candidate("<image>, <image> or <image>?", (*IMAGES, noise(64, 64, 2)), ("The first +.", "No: ++", "The last.", "+")),
    Candidate("No picture: 1 + 1?", (), ("2",)),
]  # fmt: skip


NAMES = ["internvl", "qwen2_5_vl", "qwen3_vl"]
PICTURES = {"qwen3_vl": 2e-2}
"""How far scores may be from those of transformers where there are pictures: of this one vLLM has another vision tower."""


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("name", NAMES)
def test_vllm_reads_a_solution_at_once(name: str, tied: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = saved(name, tied, tmp_path)
    assert max(max(scores) - min(scores) for scores in expected) > 0.1, "scores that are all alike tell nothing"
    with scorer(tmp_path, True, monkeypatch) as opened:
        for _ in "cold", "from the cache":
            same(opened.score_many(CANDIDATES), expected, name)
        assert opened.requests <= 4 * len(CANDIDATES)


@pytest.mark.parametrize("name", NAMES)
def test_a_request_a_step_gives_the_same(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = saved(name, False, tmp_path)
    with scorer(tmp_path, False, monkeypatch) as opened:
        same(opened.score_many(CANDIDATES), expected, name)
        assert opened.requests == sum(len(candidate.steps) for candidate in CANDIDATES) == 11


def saved(name: str, tied: bool, folder: Path) -> list:
    """Saves a model there; what transformers says with it."""
    model, processor = family(name, **FOR_VLLM, tie_word_embeddings=tied)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return ProcessRewardModel.from_pretrained(str(folder), device="cpu", dtype="float32").score_many(CANDIDATES)


@contextmanager
def scorer(folder: Path, one_pass: bool, monkeypatch: pytest.MonkeyPatch) -> Iterator:
    """In this process: an engine of its own would take as long again to start."""
    from stages.reward.vllm import VllmScorer

    monkeypatch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    opened = VllmScorer(str(folder), "float32", one_pass, kv_cache_memory_bytes=1 << 28)
    with closing(opened):
        yield opened
    del opened
    gc.collect()


def same(found: list, expected: list, name: str) -> None:
    for candidate, own, other in zip(CANDIDATES, found, expected, strict=True):
        assert own == pytest.approx(other, abs=PICTURES.get(name, 2e-3) if candidate.images else 2e-3)
