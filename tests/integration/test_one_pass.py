"""A solution in one request to vLLM, in one request a step, and on transformers: the same scores."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from stages.reward.model import Candidate, ProcessRewardModel
from tests.families import FOR_VLLM, family
from tests.unit.stages.reward.test_collate import IMAGES, noise

pytestmark = [pytest.mark.integration, pytest.mark.more]

CANDIDATES = [
    Candidate("What is 1 + 2 + 3?", tuple(IMAGES[:1]), ("1 + 2 = 3.", "3 + 3 = 6.", "So 6, + + +")),
    # The second step differs: the first one's logits are not asked for again where the cache holds its tokens.
    Candidate("What is 1 + 2 + 3?", tuple(IMAGES[:1]), ("1 + 2 = 3.", "3 + 3 = 7.", "So 7.")),
    Candidate("<image>, <image> or <image>?", (*IMAGES, noise(64, 64, 2)), ("The first +.", "No: ++", "The last.", "+")),
    Candidate("No picture: 1 + 1?", (), ("2",)),
]  # fmt: skip


HEADS = {"internvl": True, "qwen2_5_vl": False, "qwen3_vl": False}
"""Whether the head is tied to the embeddings; InternVL is there with both kinds."""


@pytest.mark.parametrize("name", HEADS)
def test_three_ways_give_the_same(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = saved(name, HEADS[name], tmp_path)
    assert max(max(scores) - min(scores) for scores in expected) > 0.1, "scores that are all alike tell nothing"
    (cold, cached), requests = on_vllm(tmp_path, True, monkeypatch, times=2)
    same(cold, expected)
    same(cached, expected)
    assert requests <= 4 * len(CANDIDATES)
    (by_step,), requests = on_vllm(tmp_path, False, monkeypatch)
    same(by_step, cold)
    assert requests == sum(len(candidate.steps) for candidate in CANDIDATES) == 11


def test_a_head_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = saved("internvl", False, tmp_path)
    (found,), _ = on_vllm(tmp_path, True, monkeypatch)
    same(found, expected)


def saved(name: str, tied: bool, folder: Path) -> list:
    """Saves a model there; what transformers says with it."""
    model, processor = family(name, **FOR_VLLM, tie_word_embeddings=tied)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return ProcessRewardModel.from_pretrained(str(folder), device="cpu", dtype="float32").score_many(CANDIDATES)


def on_vllm(folder: Path, one_pass: bool, monkeypatch: pytest.MonkeyPatch, times: int = 1) -> tuple[list, int]:
    """What vLLM says each time, and the requests that it took: in this process, as an engine of its own starts slowly."""
    from stages.reward.vllm import VllmScorer

    monkeypatch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    with closing(VllmScorer(str(folder), "float32", one_pass, kv_cache_memory_bytes=1 << 28)) as opened:
        return [opened.score_many(CANDIDATES) for _ in range(times)], opened.requests


def same(found: list, expected: list) -> None:
    for own, other in zip(found, expected, strict=True):
        assert own == pytest.approx(other, abs=2e-3)
