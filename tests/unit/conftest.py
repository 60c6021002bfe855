"""What several unit tests share."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from stages.verify import pool

_started: dict[tuple[int, float], SharedPool] = {}


class SharedPool(pool.VerifierPool):
    """A pool that stays for the next test: its processes import sympy, for seconds."""

    def close(self) -> None:
        """Left to `_pools`: code under test closes what it takes for its own."""


@pytest.fixture(scope="session", autouse=True)
def _pools() -> Iterator[None]:
    yield
    for started in _started.values():
        pool.VerifierPool.close(started)


@pytest.fixture
def shared_verifiers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code under test that starts a pool of verifiers gets one that an earlier test has started.

    For tests of what is done with verdicts; the pool's own tests start theirs.
    """

    def start(workers: int, time_limit_s: float) -> SharedPool:
        if (workers, time_limit_s) not in _started:
            _started[workers, time_limit_s] = SharedPool(workers, time_limit_s)
        return _started[workers, time_limit_s]

    for name, module in list(sys.modules.items()):
        if name.startswith("stages.") and getattr(module, "VerifierPool", None):
            monkeypatch.setattr(module, "VerifierPool", start)
