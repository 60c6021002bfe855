"""Where Ray is: a cluster that isn't there. The graph itself runs in tests/integration."""

from __future__ import annotations

from typing import Any

import pytest
import ray

from pipeline.errors import UserError
from pipeline.graph import joining, ray_at


def refuse(**_: Any) -> None:
    raise ConnectionError("Could not find any running Ray instance.")


def test_a_cluster_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    # A real look for one would find that of a test beside this one.
    monkeypatch.setattr(ray, "init", refuse)
    with (
        pytest.raises(UserError, match=r"ray\.address=auto: no Ray cluster is there: start one") as caught,
        ray_at("auto"),
    ):
        pass
    assert "\n" not in str(caught.value)


def test_trouble_on_this_machine_alone_is_no_users_error() -> None:
    with pytest.raises(ConnectionError), joining(None):
        refuse()
