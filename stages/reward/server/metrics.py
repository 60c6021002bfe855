"""Counts and times for Prometheus, at `/metrics`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """One service's; a registry of its own lets a process have several."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        own: dict[str, Any] = {"namespace": "visualprm", "registry": self._registry}
        self.requests = Counter("requests", "Requests that were answered", ["path", "status"], **own)
        self.seconds = Histogram(
            "request_seconds", "From a request's headers to its answer", ["path"], buckets=SECONDS, **own
        )
        self.gone = Counter("clients_gone", "Requests whose client left before the answer", **own)
        self._batches = Histogram("batch_solutions", "Solutions in a batch", buckets=SIZES, **own)
        self._batch_seconds = Histogram("batch_seconds", "A batch's time in the model", buckets=SECONDS, **own)
        self._solutions = Counter("solutions", "Solutions that were scored", **own)
        self._steps = Counter("steps", "Steps that were scored", **own)

    def gauge(self, name: str, what: str, value: Callable[[], float]) -> None:
        """A number that is asked for when it is wanted."""
        Gauge(name, what, namespace="visualprm", registry=self._registry).set_function(value)

    def batch(self, size: int, seconds: float, scored: Sequence[Sequence[float]]) -> None:
        self._batches.observe(size)
        self._batch_seconds.observe(seconds)
        self._solutions.inc(len(scored))
        self._steps.inc(sum(map(len, scored)))

    def text(self) -> bytes:
        return bytes(generate_latest(self._registry))
