"""Where Ray is: a cluster that is not there, and a machine too busy to start it. Runs on Ray are in tests/integration."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ray

from pipeline.cluster import session as cluster
from pipeline.cluster.session import WAITS_S, ray_at, start_ray
from pipeline.errors import StartError, UserError
from stages.train.config import RayTrainConfig, TrainConfig
from stages.train.on_ray import fit_on_ray
from stages.train.stop import Stop


def test_a_cluster_that_is_not_there_is_one_line() -> None:
    with socket.socket() as closed:
        # bound, but not listening: nobody else gets the port meanwhile
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        with (
            pytest.raises(UserError, match=f"ray.address={address}: no Ray cluster is there: start one") as caught,
            ray_at(address),
        ):
            pass
    assert "\n" not in str(caught.value)


TOO_LATE = Exception("The current node timed out during startup. This could happen because\nof many things.")
"""As Ray raises it, a bare `Exception`."""


class FakeRay:
    """In place of `ray.init` and `ray.shutdown`: raises what it is given, one after another, then starts."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.calls: list[str] = []
        self.options: dict[str, Any] = {}
        self.on_init: Callable[[], object] = lambda: None

    def init(self, **options: Any) -> None:
        self.calls.append("init")
        self.options = options
        self.on_init()
        if self.failures:
            raise self.failures.pop(0)

    def shutdown(self) -> None:
        self.calls.append("shutdown")


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., FakeRay]]:
    """`busy(*failures)` → a Ray that fails so; its waits take no time and stand among its calls."""

    def make(*failures: Exception) -> FakeRay:
        fake = FakeRay(*failures)
        monkeypatch.setattr(ray, "init", fake.init)
        monkeypatch.setattr(ray, "shutdown", fake.shutdown)
        monkeypatch.setattr(ray, "is_initialized", lambda: False)

        def wait(seconds: float) -> None:
            # Threads that another test left behind sleep, too.
            if threading.current_thread() is threading.main_thread():
                fake.calls.append(f"wait {seconds:.0f}")

        monkeypatch.setattr(cluster.time, "sleep", wait)
        return fake

    handler = signal.getsignal(signal.SIGTERM)
    yield make
    signal.signal(signal.SIGTERM, handler)


@pytest.mark.parametrize(
    "failure",
    [
        TOO_LATE,
        RuntimeError("Timed out waiting for file /tmp/ray/gcs_server_port"),
        RuntimeError(""),
        TimeoutError("Timed out after 30 seconds"),
        ConnectionError("lost"),
        ray.exceptions.RaySystemError("lost"),
        ray.exceptions.RpcError("lost"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_start_that_ray_gives_up_is_tried_again(
    failure: Exception, busy: Callable[..., FakeRay], capsys: pytest.CaptureFixture[str]
) -> None:
    fake = busy(failure, failure)
    with ray_at(None):
        assert fake.calls == ["init", "shutdown", "wait 10", "init", "shutdown", "wait 30", "init"]
    assert fake.calls[-1] == "shutdown"
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("Ray did not start (")
    assert first.endswith("): try 2 of 3 follows in 10 s")
    assert second.endswith("): try 3 of 3 follows in 30 s")


def test_the_waits_grow() -> None:
    assert list(WAITS_S) == sorted(set(WAITS_S))
    assert len(WAITS_S) == 2


def test_three_tries_in_vain_end_in_one_line(busy: Callable[..., FakeRay]) -> None:
    fake = busy(*[TOO_LATE] * 3)
    with pytest.raises(StartError) as caught, ray_at(None):
        pytest.fail("Ray did not start")
    assert "\n" not in str(caught.value)
    assert "did not start on this machine in 3 tries (The current node timed out" in str(caught.value)
    assert fake.calls.count("init") == fake.calls.count("shutdown") == 3


@pytest.mark.parametrize("failure", [ValueError("num_cpus"), PermissionError("/tmp/ray"), OSError(28, "disk full")])
def test_what_another_try_cannot_mend_is_raised_at_once(failure: Exception, busy: Callable[..., FakeRay]) -> None:
    fake = busy(failure)
    with pytest.raises(type(failure)), ray_at(None):
        pass
    assert fake.calls == ["init"]


def test_a_failed_try_leaves_no_process_and_spares_what_ran_before(busy: Callable[..., FakeRay]) -> None:
    """Ray's own `shutdown` does not know the processes of a node whose start it gave up."""

    def sleeper() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])

    left: list[subprocess.Popen[bytes]] = []
    with sleeper() as before:
        fake = busy(TOO_LATE, TOO_LATE)
        fake.on_init = lambda: left.append(sleeper())
        with ray_at(None):
            assert [process.poll() is None for process in left] == [False, False, True]
            assert before.poll() is None
        for process in (before, left[-1]):
            process.kill()
            process.wait()


def test_a_session_of_the_callers_own_is_left_alone(
    busy: Callable[..., FakeRay], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = busy()
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    with pytest.raises(RuntimeError, match="already runs"):
        start_ray(None)
    assert fake.calls == []


def test_a_stop_stays_a_stop_after_a_start(busy: Callable[..., FakeRay]) -> None:
    fake = busy()
    fake.on_init = lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ray_at(None):
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler


def test_a_node_of_this_machine_alone_listens_on_loopback(busy: Callable[..., FakeRay]) -> None:
    from ray._private import ray_constants, services

    fake, name = busy(), ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR
    seen: list[object] = []
    fake.on_init = lambda: seen.extend([services.get_node_ip_address(), os.environ[name]])
    with ray_at(None):
        pass
    assert seen == ["127.0.0.1", "0"]
    assert ray_constants.ENABLE_RAY_CLUSTER
    assert name not in os.environ


def test_a_training_starts_ray_in_the_same_way(busy: Callable[..., FakeRay], tmp_path: Path) -> None:
    fake = busy(*[TOO_LATE] * 3)
    config = TrainConfig.model_construct(run_dir=str(tmp_path), ray=RayTrainConfig(workers=2))
    with pytest.raises(StartError):
        fit_on_ray(config, None, config, Stop())  # type: ignore[arg-type]
    assert fake.calls.count("init") == 3
    assert fake.options["address"] == "local"
