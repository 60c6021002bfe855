"""A run's ledger as a collection: its solutions with every draw behind a score."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import origin
from pipeline.config import LabelConfig
from pipeline.records import solution_from_row
from pipeline.settings import parse_settings
from pipeline.store import Store
from stages.browse.arrays import ledger_steps
from stages.browse.collection import (
    STATUSES,
    DrawView,
    Kind,
    Part,
    Place,
    ProblemView,
    SolutionView,
    StepView,
    rows_table,
)
from stages.browse.judges import RunJudges
from stages.browse.parts import no_such, parts_of
from stages.label import labelled_steps, of_draws

_SOLUTION = "solutions.list.element."
_STEP = _SOLUTION + "steps.list.element."
_INDEXED = [
    *("problem_id", "policy_model"),
    *(_SOLUTION + leaf for leaf in ("solution_id", "text", "token_ids", "verdict.status", "verdict.mode")),
    _STEP + "origin",
    _STEP + "draws.list.element.verdict.status",
]
_TEXTS = ["problem_id", "source", "question", "answer", "verify", "contamination", "options"]


class RunLedger:
    """See `stages.browse.collection.Collection`. A problem that failed has no solution, so it is not listed."""

    kind: Kind = "run"
    has_draws = True

    def __init__(self, uri: str) -> None:
        """Raises:
        UserError: no run is there.
        """
        self.uri, self.name = uri, posixpath.basename(uri.rstrip("/")) or uri
        self.store = Store(uri)
        if not self.store.exists("ledger.json"):
            raise no_such(uri, "no run is here")
        settings = origin.noted(self.store, "config.yaml", "restore this file") or {}
        self._label = of_draws(parse_settings(LabelConfig, settings.get("label") or {}, origin=uri))
        self.stamp = repr(self._label)
        self._judges = RunJudges(self.store)
        self._rows = lru_cache(maxsize=16)(self._read_row)
        self._problems: dict[str, tuple[str, int, int]] = {}
        self._known: list[str] = []

    def parts(self) -> list[Part]:
        return parts_of(self.store.filesystem, self.store.ledger_files())

    def figures(self) -> Mapping[str, Any]:
        return {"label": self._label.model_dump(mode="json")}

    def read(self, part: Part) -> Iterator[pa.Table]:
        with pq.ParquetFile(part.path, filesystem=self.store.filesystem) as file:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=_INDEXED, use_threads=False)
                yield self._index_rows(table, group)

    def problem(self, places: Sequence[Place]) -> ProblemView:
        rows = {(place.path, place.group, place.row) for place in places}
        entries = {key: self._rows(*key) for key in rows}
        problem = self._problem_row(next(iter(entries.values()))["problem_id"])
        first = next(iter(entries.values()))
        found = problem.get("contamination")
        view = ProblemView(
            id=problem["problem_id"],
            source=problem["source"],
            question=problem["question"],
            answer=problem["answer"],
            images=problem["images"],
            options=tuple(problem["options"] or ()),
            contamination=None if found is None else tuple(found),
            prompt=first["prompt"],
            solutions=[self._solution(entries[place.path, place.group, place.row], place.item) for place in places],
            facts=[("strategy", first["strategy"]), ("verify", ", ".join(problem["verify"] or ()))],
        )
        self._judges.add(view)
        return view

    def pictures(self, place: Place) -> list[bytes]:
        path, group, row = self._find(self._rows(place.path, place.group, place.row)["problem_id"])
        with pq.ParquetFile(path, filesystem=self.store.filesystem) as file:
            images = file.read_row_group(group, columns=["images"], use_threads=False)["images"][row].as_py()
        return [image["data"] for image in images]

    def _read_row(self, path: str, group: int, row: int) -> dict[str, Any]:
        with pq.ParquetFile(path, filesystem=self.store.filesystem) as file:
            item: dict[str, Any] = file.read_row_group(group, use_threads=False).slice(row, 1).to_pylist()[0]
        return item

    def _problem_row(self, problem_id: str) -> dict[str, Any]:
        path, group, row = self._find(problem_id)
        with pq.ParquetFile(path, filesystem=self.store.filesystem) as file:
            names = [name for name in _TEXTS if name in file.schema_arrow.names]
            table = file.read_row_group(group, columns=[*names, "images.list.element.sha256"], use_threads=False)
        found: dict[str, Any] = table.slice(row, 1).to_pylist()[0]
        return {**found, "images": len(found["images"] or ())}

    def _find(self, problem_id: str) -> tuple[str, int, int]:
        """The problem file, row group and row of a problem."""
        files = self.store.problem_files()
        if files != self._known:
            self._known, self._problems = files, {}
            for path in files:
                with pq.ParquetFile(path, filesystem=self.store.filesystem) as file:
                    for group in range(file.num_row_groups):
                        ids = file.read_row_group(group, columns=["problem_id"])["problem_id"].to_pylist()
                        self._problems |= {key: (path, group, row) for row, key in enumerate(ids)}
        return self._problems[problem_id]

    @lru_cache(maxsize=1)  # noqa: B019 (a run is opened once)
    def _texts(self, files: tuple[str, ...]) -> pa.Table:
        """Of every problem what the index keeps."""
        tables = []
        for path in files:
            with pq.ParquetFile(path, filesystem=self.store.filesystem) as file:
                names = [name for name in _TEXTS if name in file.schema_arrow.names]
                tables.append(file.read(columns=names))
        return pa.concat_tables(tables, promote_options="default")

    def _index_rows(self, table: pa.Table, group: int) -> pa.Table:
        lists = table["solutions"].combine_chunks()
        counts = pc.fill_null(pc.list_value_length(lists), 0)
        rows = pa.array([row for row, count in enumerate(counts.to_pylist()) for _ in range(count)], pa.int32())
        items = pa.array([item for count in counts.to_pylist() for item in range(count)], pa.int32())
        solutions = lists.flatten()
        verdicts = solutions.field("verdict")
        steps, draws = ledger_steps(solutions, self._label)
        ids = table["problem_id"].combine_chunks().take(rows)
        texts = self._texts(tuple(self.store.problem_files()))
        texts = texts.take(pc.index_in(ids, texts["problem_id"].combine_chunks()))
        contamination = None
        if "contamination" in texts.column_names:
            contamination = pc.greater(pc.list_value_length(texts["contamination"]), 0).cast(pa.int8())
        columns = {
            "problem_id": ids,
            "solution_id": solutions.field("solution_id"),
            "group": pa.array([group] * len(rows), pa.int32()),
            "row": rows,
            "item": items,
            "source": texts["source"],
            "policy": table["policy_model"].combine_chunks().take(rows),
            "question": texts["question"],
            "answer": texts["answer"],
            "text": solutions.field("text"),
            "status": pc.index_in(verdicts.field("status"), pa.array(STATUSES)),
            "contamination": contamination,
            "mode": _places(verdicts.field("mode"), texts["verify"]),
            "draws": draws,
            "tokens": pc.list_value_length(solutions.field("token_ids")),
        }
        return rows_table(columns, steps)

    def _solution(self, entry: Mapping[str, Any], item: int) -> SolutionView:
        solution = solution_from_row(entry["solutions"][item])
        steps = [
            StepView(
                step.text,
                label,
                step.score,
                step.num_mc_correct,
                step.num_mc_total,
                step.origin,
                tuple(
                    DrawView(
                        draw.text,
                        draw.verdict.status,
                        draw.verdict.answer,
                        draw.verdict.mode,
                        draw.verdict.reason,
                        len(draw.token_ids),
                        draw.finish_reason == "length",
                    )
                    for draw in step.draws
                ),
            )
            for step, label in labelled_steps(solution, self._label)
        ]
        verdict = solution.verdict
        return SolutionView(
            solution.solution_id,
            entry["policy_model"],
            verdict.answer,
            verdict.status,
            steps,
            verdict.mode,
            verdict.reason,
            len(solution.token_ids),
        )


def _places(modes: pa.Array, verify: pa.ChunkedArray) -> pa.Array:
    """The place of each mode that decided in its problem's list of modes; null where it is not in it."""
    listed = verify.combine_chunks().to_pylist()
    found = [
        names.index(mode) if mode in (names or ()) else None
        for mode, names in zip(modes.to_pylist(), listed, strict=True)
    ]
    return pa.array(found, pa.int8())
