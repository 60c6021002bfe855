"""What a pilot run's ledger says: solutions as they were, and how fast its engines were."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow.parquet as pq

from pipeline.errors import UserError
from pipeline.records import Solution, solution_from_row
from pipeline.store import Store
from stages.plan.chains import Chain

MAX_PROBLEMS = 500
"""Problems that are read."""


@dataclass
class Pilot:
    """Measured solutions by source, and of the whole run the ratios that simulation can't give."""

    chains: dict[str, list[Chain]] = field(default_factory=lambda: defaultdict(list))
    drawn_tokens: float = 0
    expected_tokens: float = 0
    """What the draws' tokens would be if each draw were as long as the rest of its solution."""
    tokens: int = 0
    bytes: int = 0
    """Of the ledger files that hold `tokens`."""
    tokens_per_second: float | None = None
    """Of one engine, generated tokens; null if the run has left no counters."""
    problems: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What its ledger depends on, as dotted keys (`pipeline/config`)."""

    @property
    def draw_length(self) -> float:
        """A draw's tokens, as a multiple of the rest of its solution's."""
        return self.drawn_tokens / self.expected_tokens if self.expected_tokens else 1.0


def read_pilot(uri: str) -> Pilot:
    """Reads up to `MAX_PROBLEMS` problems of a run.

    Raises:
        UserError: the run holds no solutions.
    """
    store = Store(uri)
    sources = {
        row["problem_id"]: row["source"]
        for path in store.problem_files()
        for row in pq.read_table(path, columns=["problem_id", "source"], filesystem=store.filesystem).to_pylist()
    }
    pilot = Pilot(settings=store.read_json("ledger.json") if store.exists("ledger.json") else {})
    for path in store.ledger_files():
        if pilot.problems >= MAX_PROBLEMS:
            break
        pilot.bytes += store.filesystem.get_file_info(path).size
        for row in pq.read_table(path, filesystem=store.filesystem).to_pylist():
            pilot.problems += 1
            pilot.tokens += row["num_tokens"]
            for solution in map(solution_from_row, row["solutions"]):
                _add(pilot, sources[row["problem_id"]], solution)
    if not pilot.chains:
        raise UserError(f"--pilot: {uri} holds no solutions; give the directory of a run that has some")
    rates = [
        engine["tokens"] / (engine["updated"] - engine["started"])
        for engine in store.progress()
        if engine["tokens"] and engine["updated"] > engine["started"]
    ]
    pilot.tokens_per_second = sum(rates) / len(rates) if rates else None
    return pilot


def _add(pilot: Pilot, source: str, solution: Solution) -> None:
    """Counts one solution. A step that wasn't drawn from has the chance of the nearest one before it that was.

    A response that is all context, which nothing is drawn from, counts as a step.
    """
    correct = solution.verdict.status == "correct"
    chances, last = [], 1.0
    left = len(solution.token_ids)
    own = [step for step in solution.steps if step.origin != "context"] or list(solution.steps)
    before = own[0].start if own[0] is not solution.steps[0] else 0
    after = left - own[-1].end if own[-1] is not solution.steps[-1] else 0
    left -= before
    for step in own:
        left -= step.end - step.start
        if step.draws:
            last = sum(draw.verdict.status == "correct" for draw in step.draws) / len(step.draws)
            pilot.drawn_tokens += sum(len(draw.token_ids) for draw in step.draws)
            pilot.expected_tokens += len(step.draws) * max(1, left)
        chances.append(last)
    # Where the answer is left out, the last step is no complete solution.
    chances[-1] = float(correct) if not own[-1].draws and not after else chances[-1]
    tokens = tuple(float(step.end - step.start) for step in own)
    pilot.chains[source].append(Chain(tuple(chances), tokens, correct, float(before), float(after)))
