"""Waiting for places, with stand-ins for Ray's placement groups; runs on clusters are in tests/integration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import ray
import ray.util

from pipeline.cluster import places
from pipeline.cluster.places import wait_for_places
from pipeline.errors import StartError, UserError


class Clock:
    """Time that passes only while somebody waits for a place; the cluster has one after `free_at` seconds."""

    def __init__(self, free_at: float) -> None:
        self.now, self.free_at = 0.0, free_at
        self.asked: list[Sequence[Any]] = []
        self.removed = 0

    def placement_group(self, bundles: Sequence[Any], strategy: str) -> Clock:
        self.asked.append(bundles)
        return self

    def wait(self, timeout_seconds: float) -> bool:
        self.now = min(self.now + timeout_seconds, max(self.now, self.free_at))
        return self.now >= self.free_at

    def remove(self, group: object) -> None:
        assert group is self
        self.removed += 1


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], Clock]:
    """`cluster(seconds)` → a cluster of 4 CPUs, 1 of them free, which grows after so many seconds."""

    def make(free_at: float) -> Clock:
        clock = Clock(free_at)
        monkeypatch.setattr(places.time, "monotonic", lambda: clock.now)
        monkeypatch.setattr(ray.util, "placement_group", clock.placement_group)
        monkeypatch.setattr(ray.util, "remove_placement_group", clock.remove)
        monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 4.0, "memory": 1e9})
        monkeypatch.setattr(ray, "available_resources", lambda: {"CPU": 1.0})
        return clock

    return make


def test_a_place_at_hand_is_taken_without_a_word(
    cluster: Callable[[float], Clock], capsys: pytest.CaptureFixture[str]
) -> None:
    clock = cluster(0.0)
    wait_for_places("2 workers", [{"CPU": 1.0, "GPU": 0.0}] * 2, "auto", 300.0)
    assert clock.asked == [[{"CPU": 1.0}] * 2]
    assert clock.removed == 1, "what it held is free for those who were waited for"
    assert capsys.readouterr().err == ""


def test_a_wait_is_told_with_its_age(cluster: Callable[[float], Clock], capsys: pytest.CaptureFixture[str]) -> None:
    clock = cluster(100.0)
    wait_for_places("an engine", [{"GPU": 2.0}], "auto", 300.0)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        f"waiting for a place for an engine (2 GPUs) since {age} s: ray.address=auto has 4 CPUs (free: 1 CPU)"
        for age in (5, 65)
    ]
    assert clock.removed == 1


def test_the_wait_ends_with_what_to_do(cluster: Callable[[float], Clock]) -> None:
    clock = cluster(1e9)
    with pytest.raises(
        StartError, match=r"in 20 s there was no place for an engine \(1 GPU\): .* or raise ray\.wait_s"
    ):
        wait_for_places("an engine", [{"GPU": 1.0}], "head:6379", 20.0)
    assert clock.now == pytest.approx(20.0)
    assert clock.removed == 1


def test_null_waits_for_ever(cluster: Callable[[float], Clock], capsys: pytest.CaptureFixture[str]) -> None:
    clock = cluster(100_000.0)
    wait_for_places("an engine", [{"GPU": 1.0}], "head:6379", None)
    assert clock.now == 100_000.0
    assert len(capsys.readouterr().err.splitlines()) == pytest.approx(100_000 / 60, abs=2)


def test_this_machine_does_not_grow(cluster: Callable[[float], Clock]) -> None:
    clock = cluster(0.0)
    with pytest.raises(
        UserError, match="8 workers take 8 CPUs, 8 GPUs, and this machine has 4 CPUs, 0 GPUs: ask for less"
    ):
        wait_for_places("8 workers", [{"CPU": 1.0, "GPU": 1.0}] * 8, None, 300.0)
    wait_for_places("4 workers", [{"CPU": 1.0}] * 4, None, 300.0)
    assert clock.asked == []


def test_what_takes_nothing_waits_for_nothing(cluster: Callable[[float], Clock]) -> None:
    clock = cluster(1e9)
    wait_for_places("an engine", [{"GPU": 0.0}], "auto", 300.0)
    assert clock.asked == []
