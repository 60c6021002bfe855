"""Counts what an engine has done and writes it where `visualprm status` and the progress bar read it."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any

from pipeline.config import LabelConfig
from pipeline.engine.gauges import Gauges
from pipeline.errors import UserError
from pipeline.records import AnnotatedProblem, Solution
from pipeline.store import Store
from pipeline.terminal.speak import say
from stages.annotate.tally import Tally, together
from stages.annotate.watch import process_row

INTERVAL_S = 3.0


class Meter:
    """One engine's counters since it was ready, in `progress/<host>-<pid>.json`, renewed as long as the process lives.

    Args:
        begun: The ids of the problems that are under way.
        judged: How many answers the verifiers have been asked about.
    """

    def __init__(
        self,
        store: Store,
        label: LabelConfig | None = None,
        begun: Callable[[], Collection[str]] = tuple,
        judged: Callable[[], int] = int,
    ) -> None:
        self._store = store
        self._gauges: Gauges | None = None
        self._label = label or LabelConfig()
        self._begun, self._judged = begun, judged
        self._name = f"progress/{socket.gethostname()}-{os.getpid()}.json"
        self._process = process_row()
        self._started = time.time()
        self._lock = threading.Lock()
        self._problems = self._draws = self._tokens = self._read = 0
        self._verdicts: Counter[str] = Counter()
        self._tally = Tally()
        threading.Thread(target=self._write, daemon=True, name="meter").start()

    def ready(self, gauges: Gauges) -> None:
        """The engine has started: what came before counts in no rate."""
        self._started = time.time()
        self._gauges = gauges

    def add(self, item: AnnotatedProblem, given: Sequence[Solution] = ()) -> None:
        """Counts what was generated for `item`: all but the solutions that were `given`, and their draws.

        The tally has these, too: it says what will be published.
        """
        held = {(one.solution_id, index): len(step.draws) for one in given for index, step in enumerate(one.steps)}
        sampled = [one for one in item.solutions if (one.solution_id, 0) not in held]
        draws = [
            draw
            for one in item.solutions
            for index, step in enumerate(one.steps)
            for draw in step.draws[held.get((one.solution_id, index), 0) :]
        ]
        with self._lock:
            self._problems += 1
            self._draws += len(draws)
            self._tokens += sum(len(one.token_ids) for one in sampled) + sum(len(draw.token_ids) for draw in draws)
            self._verdicts.update(draw.verdict.status for draw in draws)
            self._tally.count(item.problem.source, item.solutions, self._label)

    def add_answers(self, answers: int, tokens: int, read: int) -> None:
        """Counts a problem about which the engine gave so many answers that are no solutions, of so many `tokens`.

        For these it was given prompts of `read` tokens.
        """
        with self._lock:
            self._problems += 1
            self._draws += answers
            self._tokens += tokens
            self._read += read

    def tally(self) -> Tally:
        """The answers of the problems that this engine has finished."""
        with self._lock:
            return together([self._tally])

    def tally_of_all(self) -> Tally:
        """Those of all engines of this call of the driver; of the others as they last wrote."""
        return together([self.tally(), *(Tally.from_row(row["tally"]) for row in self._others() if "tally" in row)])

    def snapshots_of_all(self) -> list[dict[str, Any]]:
        """What all engines of this call of the driver have counted; the others as they last wrote."""
        return [self.snapshot(), *self._others()]

    def snapshot(self) -> dict[str, Any]:
        """Problems, draws, generated tokens and the engine's gauges so far; `started`, `updated` in Unix seconds.

        And what a watch needs (`watch.py`): the process, whether its engine is `ready`, what is under way.
        """
        gauges = self._gauges
        with self._lock:
            return {
                "process": self._process,
                "ready": gauges is not None,
                "begun": sorted(self._begun()),
                "judged": self._judged(),
                "problems": self._problems,
                "draws": self._draws,
                "tokens": self._tokens,
                "read": self._read,
                "verdicts": dict(self._verdicts),
                "tally": self._tally.row(),
                "started": self._started,
                "updated": time.time(),
                "engine": (gauges or Gauges()).snapshot(),
            }

    def _others(self) -> list[dict[str, Any]]:
        try:
            return [row for row in self._store.progress() if row.get("process") != self._process]
        except (OSError, UserError):
            return []

    def note(self) -> None:
        """Writes what was counted up to now.

        Raises:
            OSError, UserError: the store refuses.
        """
        self._store.write_json(self._name, self.snapshot())

    def _write(self) -> None:
        told = False
        while True:
            try:
                self.note()
            except (OSError, UserError) as error:
                # The ledger matters, the display does not: the next write may succeed.
                if not told:
                    say(f"progress can't be written for now: {error}")
                told = True
            time.sleep(INTERVAL_S)
