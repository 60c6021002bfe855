"""The ledger as a replay needs it: of every draw whether it was correct and how long it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.records import VerdictStatus
from pipeline.store import Store

_SOLUTION = "solutions.list.element."
_STEP = _SOLUTION + "steps.list.element."
_COLUMNS = [
    "problem_id",
    *(_SOLUTION + leaf for leaf in ("solution_id", "seed", "verdict.status")),
    _STEP + "text",
    _STEP + "origin",
    _STEP + "draws.list.element.verdict.status",
    _STEP + "draws.list.element.token_ids",
]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A solution of a ledger.

    `hits[i][j]` says whether draw j after step i was correct, `tokens[i][j]` how many tokens it has; `context[i]`
    whether step i is none that is measured.
    """

    problem_id: str
    solution_id: str
    seed: int
    status: VerdictStatus
    steps: Sequence[str]
    hits: Sequence[Sequence[bool]]
    tokens: Sequence[Sequence[int]]
    context: Sequence[bool]

    @property
    def correct(self) -> bool:
        return self.status == "correct"


def recorded(store: Store, files: Sequence[str] | None = None) -> Iterator[Recorded]:
    """Every solution of the committed ledger, a file at a time; of a problem in two files the first counts.

    `files` takes the place of the ledger's: copies with other verdicts, in which every draw has 0 tokens.
    """
    seen: set[str] = set()
    for path in store.ledger_files() if files is None else files:
        with pq.ParquetFile(path, filesystem=store.filesystem) as file:
            table = file.read(columns=_COLUMNS)
        keep = []
        for key in table["problem_id"].to_pylist():
            keep.append(key not in seen)
            seen.add(key)
        yield from _solutions(table.filter(pa.array(keep)))


def _solutions(table: pa.Table) -> Iterator[Recorded]:
    held = table["solutions"].combine_chunks()
    counts = pc.list_value_length(held).to_pylist()
    problems = [key for key, n in zip(table["problem_id"].to_pylist(), counts, strict=True) for _ in range(n)]
    solutions = held.flatten()
    steps = solutions.field("steps").flatten()
    draws = steps.field("draws").flatten()
    # Only lengths leave Arrow: the ids of a corpus' draws are billions of Python objects.
    statuses = iter(draws.field("verdict").field("status").to_pylist())
    lengths = iter(pc.list_value_length(draws.field("token_ids")).to_pylist())
    drawn = iter(pc.list_value_length(steps.field("draws")).to_pylist())
    outside = iter(pc.equal(steps.field("origin"), "context").to_pylist())
    texts = iter(steps.field("text").to_pylist())
    for problem_id, solution_id, seed, status, count in zip(
        problems,
        solutions.field("solution_id").to_pylist(),
        solutions.field("seed").to_pylist(),
        solutions.field("verdict").field("status").to_pylist(),
        pc.list_value_length(solutions.field("steps")).to_pylist(),
        strict=True,
    ):
        sizes = list(islice(drawn, count))
        hits = [[status == "correct" for status in islice(statuses, n)] for n in sizes]
        tokens = [list(islice(lengths, n)) for n in sizes]
        yield Recorded(
            problem_id,
            solution_id,
            seed,
            status,
            list(islice(texts, count)),
            hits,
            tokens,
            list(islice(outside, count)),
        )
