"""What a scorer is loaded on, that its processes end, and that an untrained one is called that."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from pipeline.errors import UserError
from stages.reward import open_scorer
from stages.reward.model import read_config
from stages.reward.open_scorer import Backend, ended, load_scorer, note_untrained
from stages.reward.vllm import VllmScorer
from tests.families import POLICY


def test_an_untrained_critic_is_called_that(capsys: pytest.CaptureFixture[str]) -> None:
    config = read_config(str(POLICY))
    note_untrained("some/policy", config)
    assert capsys.readouterr().err.startswith("some/policy: an untrained critic: it has no prm_config.json")
    note_untrained("a/prm", config.model_copy(update={"data_fingerprint": "abc"}))
    assert not capsys.readouterr().err


class Loaded(VllmScorer):
    """Notes what it was made with; no engine."""

    def __init__(self, *given: Any, **named: Any) -> None:
        self.given, self.named, self.closed = given, named, False

    def close(self) -> None:
        self.closed = True


def test_vllm_is_told_what_it_is_given_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_scorer, "VllmScorer", Loaded)
    found = load_scorer(str(POLICY), "vllm", "float32", gpu_memory_utilization=0.3)
    assert isinstance(found, Loaded)
    assert (found.given, found.named) == ((str(POLICY), "float32"), {"like": None, "gpu_memory_utilization": 0.3})
    with ended(found):
        assert not found.closed
    assert found.closed


def test_a_model_that_is_nowhere_is_told_first() -> None:
    for backend in get_args(Backend):
        with pytest.raises(UserError, match="holds no model"):
            load_scorer("no/such/folder", backend)
