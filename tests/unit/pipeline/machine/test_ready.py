"""What a node of Ray gets from this machine."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from pipeline.machine.ready import allow_files, give_token, loopback


@pytest.fixture(autouse=True)
def _no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        # Set and removed, so that what the test sets is removed afterwards.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def test_ray_keeps_its_token_in_a_home_that_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    give_token()
    assert "RAY_AUTH_TOKEN" not in os.environ


@pytest.mark.parametrize("home", ["/proc/none", "/dev/null/x"])
def test_without_one_the_process_has_a_token_of_its_own(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", home)
    give_token()
    token = os.environ["RAY_AUTH_TOKEN"]
    assert len(token) == 64
    give_token()
    assert os.environ["RAY_AUTH_TOKEN"] == token


def test_a_users_own_way_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/proc/none")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    give_token()
    assert "RAY_AUTH_TOKEN" not in os.environ


@pytest.mark.parametrize(
    ("limits", "raised"), [((256, 4096), 4096), ((256, 256), None), ((1024, -1), 65_536), ((-1, -1), None)]
)
def test_the_limit_on_open_files_is_raised_as_far_as_it_may_be(
    limits: tuple[int, int], raised: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: calls.append(pair))
    allow_files()
    assert calls == ([] if raised is None else [(raised, limits[1])])


def test_a_node_listens_on_loopback_and_joins_as_before() -> None:
    from ray._private import ray_constants, services

    name = ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR
    before = services.get_node_ip_address()
    with loopback():
        assert services.get_node_ip_address() == "127.0.0.1"
        assert os.environ[name] == "0"
    assert services.get_node_ip_address() == before
    assert name not in os.environ
