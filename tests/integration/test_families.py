"""Policies of the families that people use, each a tiny random model on the real vLLM. `make families` tries all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.families.policies import examine, running

pytestmark = [pytest.mark.integration, pytest.mark.more]


@pytest.mark.parametrize("name", ["internvl", "qwen3_vl"])
def test_a_policy_does_what_it_has_to(name: str, tmp_path: Path) -> None:
    with running(name, tmp_path) as (engine, do):
        found = examine(engine, do)
    assert found.faults == []
    assert found.prefixes >= 8, "too short a response to be cut"
    assert found.limits[1] < found.limits[0]
    assert found.reused
