"""A model that was never trained to judge is called that."""

from __future__ import annotations

import pytest

from stages.reward.model import read_config
from stages.reward.open_scorer import note_untrained
from tests.families import POLICY


def test_an_untrained_critic_is_called_that(capsys: pytest.CaptureFixture[str]) -> None:
    config = read_config(str(POLICY))
    note_untrained("some/policy", config)
    assert capsys.readouterr().err.startswith("some/policy: an untrained critic: it has no prm_config.json")
    note_untrained("a/prm", config.model_copy(update={"data_fingerprint": "abc"}))
    assert not capsys.readouterr().err
