"""Solutions as columns of steps, as every kind of label needs them; texts are read only where an oracle asks for them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.columns import codes_of, lengths_of
from pipeline.config import LabelConfig
from pipeline.records import VERDICT_STATUSES
from pipeline.store import Store
from stages.judge.verdicts import JudgedSteps, Judgements
from stages.label import StepColumns, label_columns
from stages.label_rules import LABELS, ORIGINS

Oracle = Callable[[str, Sequence[str]], Sequence[bool]]
"""Says of a problem's id and the texts of a solution's steps which of these are right."""

_SOLUTION = "solutions.list.element."
_STEP = _SOLUTION + "steps.list.element."
_COLUMNS = [
    "problem_id",
    *(_SOLUTION + leaf for leaf in ("solution_id", "verdict.status")),
    *(_STEP + leaf for leaf in ("origin", "draws.list.element.verdict.status")),
]


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledSteps(ABC):
    """Solutions [solutions] and their steps [steps], side by side.

    `source` numbers `sources`, `problem` the problems that have steps, one a step; `position` counts from 1. `lengths` are of
    the solutions. `judged` is null without a judge. `truths` has by name whether each step is right; `people` what people call
    it, an index into `LABELS` or -1.
    """

    sources: Sequence[str]
    source: np.ndarray
    position: np.ndarray
    problem: np.ndarray
    lengths: np.ndarray
    judged: JudgedSteps | None
    truths: Mapping[str, np.ndarray]
    people: np.ndarray

    def labels(self, kind: LabelConfig) -> np.ndarray:
        """Those of a kind: an index into `LABELS` or -1, [steps]."""
        return self._labelled(kind, None if self.judged is None else self.judged.said).label

    @abstractmethod
    def _labelled(self, kind: LabelConfig, judged: np.ndarray | None) -> StepColumns: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class RunSteps(LabelledSteps):
    """Those of a run; `verdicts`, `origins` and `draws` are what `stages.label.label_columns` takes."""

    verdicts: np.ndarray
    origins: np.ndarray
    draws: np.ndarray

    def _labelled(self, kind: LabelConfig, judged: np.ndarray | None) -> StepColumns:
        return label_columns(self.verdicts, self.lengths, self.origins, self.draws, kind, judged)


def read_steps(
    store: Store,
    judgements: Judgements | None,
    oracles: Mapping[str, Oracle],
    said: Mapping[tuple[str, int], str],
) -> RunSteps:
    """All solutions of the committed ledger, a file at a time; of a problem in two files the first counts.

    Args:
        judgements: of the judge whose labels are compared.
        oracles: by the name of what each says.
        said: by solution and step: what people call it.
    """
    files = store.problem_files()
    names = zip(store.column(files, "problem_id").to_pylist(), store.column(files, "source").to_pylist(), strict=True)
    source_of = dict(names)
    sources = sorted(set(source_of.values()))
    parts: list[RunSteps] = []
    seen: set[str] = set()
    first = 0
    columns = [*_COLUMNS, *([_STEP + "text"] if oracles else [])]
    for path in store.ledger_files():
        with pq.ParquetFile(path, filesystem=store.filesystem) as file:
            table = file.read(columns=columns)
        keep = [key not in seen for key in table["problem_id"].to_pylist()]
        seen.update(table["problem_id"].to_pylist())
        rows = table.filter(pa.array(keep, pa.bool_())).combine_chunks()
        if rows.num_rows and len(rows["solutions"].chunk(0).flatten()):
            parts.append(_part(rows, first, sources, source_of, judgements, oracles, said))
        first += rows.num_rows
    return _joined(parts, sources, oracles, judgements is not None)


def _part(
    rows: pa.Table,
    first: int,
    sources: Sequence[str],
    source_of: Mapping[str, str],
    judgements: Judgements | None,
    oracles: Mapping[str, Oracle],
    said: Mapping[tuple[str, int], str],
) -> RunSteps:
    held = rows["solutions"].chunk(0)
    ids = rows["problem_id"].to_pylist()
    solutions = held.flatten()
    steps = solutions.field("steps")
    lengths, flat = lengths_of(steps), steps.flatten()
    problem_of = np.repeat(np.arange(len(ids)), lengths_of(held))
    problem = np.repeat(problem_of, lengths)
    draws = flat.field("draws")
    codes = codes_of(draws.flatten().field("verdict").field("status"), VERDICT_STATUSES)
    width, of_draw = len(VERDICT_STATUSES), np.repeat(np.arange(len(flat)), lengths_of(draws))
    names = solutions.field("solution_id").to_pylist()
    position = np.arange(len(flat)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    right = {"correct": LABELS.index("+"), "incorrect": LABELS.index("-")}
    called = (
        [(names[one], place) for one, length in enumerate(lengths.tolist()) for place in range(length)] if said else []
    )
    return RunSteps(
        sources=sources,
        source=np.array([sources.index(source_of[key]) for key in ids])[problem],
        position=position + 1,
        problem=problem + first,
        verdicts=codes_of(solutions.field("verdict").field("status"), VERDICT_STATUSES),
        lengths=lengths,
        origins=codes_of(flat.field("origin"), ORIGINS),
        draws=np.bincount(of_draw * width + codes, minlength=len(flat) * width).reshape(-1, width),
        judged=None if judgements is None else judgements.of(solutions.field("solution_id"), lengths),
        truths={name: _truth(oracle, [ids[one] for one in problem_of], steps) for name, oracle in oracles.items()},
        people=np.array([right.get(said.get(key, ""), -1) for key in called]) if said else np.full(len(flat), -1),
    )


def _truth(oracle: Oracle, problems: Sequence[str], steps: pa.ListArray) -> np.ndarray:
    texts = steps.flatten().field("text").to_pylist()
    found: list[bool] = []
    for problem, length in zip(problems, lengths_of(steps).tolist(), strict=True):
        found += oracle(problem, texts[len(found) : len(found) + length])
    return np.array(found, bool)


def _joined(parts: Sequence[RunSteps], sources: Sequence[str], oracles: Mapping[str, Oracle], judged: bool) -> RunSteps:
    def all_of(name: str, dtype: type = np.int64) -> np.ndarray:
        return np.concatenate([np.zeros(0, dtype), *(getattr(part, name) for part in parts)])

    return RunSteps(
        sources=sources,
        source=all_of("source"),
        position=all_of("position"),
        # Some problems have no step, and are no clusters.
        problem=np.unique(all_of("problem"), return_inverse=True)[1],
        verdicts=all_of("verdicts"),
        lengths=all_of("lengths"),
        origins=all_of("origins"),
        draws=np.concatenate([np.zeros((0, len(VERDICT_STATUSES)), np.int64), *(part.draws for part in parts)]),
        judged=JudgedSteps.joined([part.judged for part in parts if part.judged is not None]) if judged else None,
        truths={name: np.concatenate([np.zeros(0, bool), *(part.truths[name] for part in parts)]) for name in oracles},
        people=all_of("people"),
    )
