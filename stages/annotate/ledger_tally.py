"""The tally of a committed ledger: of every solution and continuation its verdict, and nothing else, is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.config import LabelConfig
from pipeline.records import VERDICT_STATUSES, Draw, Solution, Step, Verdict
from pipeline.store import Store, map_over
from stages.annotate.tally import Answers, Tally, has_positive

MOST_FILES = 2000
"""Ledger files that are looked at; of a longer ledger every second one, every third, and so on."""
_AT_ONCE = 64
_SOLUTION = "solutions.list.element."
_STEP = _SOLUTION + "steps.list.element."
_COLUMNS = ["problem_id", _SOLUTION + "verdict.status", _STEP + "origin", _STEP + "draws.list.element.verdict.status"]
_DRAWS = {status: Draw((), "", "stop", 0, Verdict(status)) for status in VERDICT_STATUSES}


def ledger_tally(store: Store, label: LabelConfig) -> tuple[Tally, int]:
    """What the ledger holds, and of how many files one was looked at: 1 for all."""
    files = store.ledger_files()
    every = max(1, -(-len(files) // MOST_FILES))
    if not files:
        return Tally(), every
    problems = store.problem_files()
    sources = dict(
        zip(store.column(problems, "problem_id").to_pylist(), store.column(problems, "source").to_pylist(), strict=True)
    )
    tally, seen = Tally(), set[str]()
    for table in _tables(store, files[::every]):
        _count(tally, table, sources, seen, label)
    return tally, every


def _tables(store: Store, files: Sequence[str]) -> Iterator[pa.Table]:
    """Some files joined into one table each: many small tables cost more than what they hold."""

    def read(path: str) -> pa.Table:
        with pq.ParquetFile(path, filesystem=store.filesystem) as file:
            return file.read(columns=_COLUMNS, use_threads=False)

    with map_over(store.filesystem, 16) as look:
        for start in range(0, len(files), _AT_ONCE):
            yield pa.concat_tables(look(read, files[start : start + _AT_ONCE])).combine_chunks()


def _count(tally: Tally, table: pa.Table, sources: Mapping[str, str], seen: set[str], label: LabelConfig) -> None:
    """Adds the problems of `table` that were not `seen` yet: a block that was committed twice counts once."""
    keep = []
    for key, solutions in zip(
        table["problem_id"].to_pylist(), pc.list_value_length(table["solutions"]).to_pylist(), strict=True
    ):
        keep.append(bool(solutions) and key not in seen)
        seen.add(key)
    table = table.filter(pa.array(keep, pa.bool_()))
    names = [sources[key] for key in table["problem_id"].to_pylist()]
    known = sorted(set(names))
    held = table["solutions"].combine_chunks()
    if not len(held):
        return
    # The number of the source of each problem, then of each solution, step and draw.
    source = np.array([known.index(name) for name in names])
    source = np.repeat(source, pc.list_value_length(held))
    solutions = held.flatten()
    of_solutions = _by_status(source, solutions, len(known))
    steps = solutions.field("steps")
    source = np.repeat(source, pc.list_value_length(steps))
    draws = steps.flatten().field("draws")
    source = np.repeat(source, pc.list_value_length(draws))
    of_draws = _by_status(source, draws.flatten(), len(known))
    problems = Counter(names)
    found = {
        name: Answers(problems[name], one, other)
        for name, one, other in zip(known, of_solutions, of_draws, strict=True)
    }
    any_right = any(one.solutions["correct"] or one.draws["correct"] for one in found.values())
    positive = tally.positive or (any_right and has_positive(_solutions(held), label))
    tally.add(Tally(found, positive))


def _by_status(source: np.ndarray, judged: pa.StructArray, sources: int) -> list[Counter[str]]:
    """How often each source's answers got each verdict; `source` has a number for each of the `judged`."""
    codes = pc.index_in(judged.field("verdict").field("status"), pa.array(VERDICT_STATUSES)).to_numpy(
        zero_copy_only=False
    )
    width = len(VERDICT_STATUSES)
    counts = np.bincount(source * width + codes, minlength=sources * width).reshape(sources, width)
    return [Counter({status: int(n) for status, n in zip(VERDICT_STATUSES, row, strict=True) if n}) for row in counts]


def _solutions(held: pa.ListArray) -> Iterator[Solution]:
    """The solutions as far as labels follow from them. One after another: the first with a `+` is enough."""
    for problem in held:
        for one in problem.as_py():
            steps = tuple(
                Step(
                    "",
                    0,
                    0,
                    True,
                    tuple(_DRAWS[draw["verdict"]["status"]] for draw in step["draws"]),
                    origin=step["origin"],
                )
                for step in one["steps"]
            )
            yield Solution("", "", (), "stop", None, Verdict(one["verdict"]["status"]), steps)
