"""Where Ray is: a cluster that isn't there. The graph itself runs in tests/integration."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import ray

from pipeline.cluster import joining, ray_at
from pipeline.errors import UserError


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


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_a_port_where_nobody_answers_is_said_at_once(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "init", lambda **_: pytest.fail("Ray would try for minutes"))
    with socket.socket() as taken:
        # bound, but not listening: nobody else gets the port meanwhile
        taken.bind(("127.0.0.1", 0))
        address = f"{scheme}127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UserError, match=f"ray.address={address}: no Ray cluster is there"), ray_at(address):
            pass


def test_trouble_on_this_machine_alone_is_no_users_error() -> None:
    with pytest.raises(ConnectionError), joining(None):
        refuse()
