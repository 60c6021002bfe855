"""Counts what an engine has done and writes it where `visualprm status` and the progress bar read it."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import Counter
from typing import Any

from pipeline.engine.gauges import Gauges
from pipeline.records import AnnotatedProblem
from pipeline.store import Store

INTERVAL_S = 3.0


class Meter:
    """One engine's counters since it started, in `progress/<host>-<pid>.json`, renewed as long as the process lives."""

    def __init__(self, store: Store, gauges: Gauges) -> None:
        self._store = store
        self._gauges = gauges
        self._name = f"progress/{socket.gethostname()}-{os.getpid()}.json"
        self._started = time.time()
        self._lock = threading.Lock()
        self._problems = self._draws = self._tokens = 0
        self._verdicts: Counter[str] = Counter()
        threading.Thread(target=self._write, daemon=True, name="meter").start()

    def add(self, item: AnnotatedProblem) -> None:
        draws = (draw for solution in item.solutions for step in solution.steps for draw in step.draws)
        with self._lock:
            self._problems += 1
            self._draws += item.num_draws
            self._tokens += item.num_tokens
            self._verdicts.update(draw.verdict.status for draw in draws)

    def snapshot(self) -> dict[str, Any]:
        """Problems, draws, generated tokens and the engine's gauges so far; `started`, `updated` in Unix seconds."""
        with self._lock:
            return {
                "problems": self._problems,
                "draws": self._draws,
                "tokens": self._tokens,
                "verdicts": dict(self._verdicts),
                "started": self._started,
                "updated": time.time(),
                "engine": self._gauges.snapshot(),
            }

    def _write(self) -> None:
        while True:
            self._store.write_json(self._name, self.snapshot())
            time.sleep(INTERVAL_S)
