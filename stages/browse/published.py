"""A published dataset, or an imported one, as a collection."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import UserError
from pipeline.records import problem_of
from pipeline.store.dataset_files import read_figures, shard_paths
from stages.browse.arrays import published_steps
from stages.browse.collection import (
    STATUSES,
    JudgedView,
    Kind,
    Part,
    Place,
    ProblemView,
    SolutionView,
    StepView,
    rows_table,
)
from stages.browse.parts import parts_of
from stages.publish.reading import NEEDED

_INDEXED = ("id", "source", "question", "answer", "response", "response_correct", "policy_model", "contamination")
_PICTURES_AT_ONCE = 8
"""Rows whose pictures are decoded together."""


class Published:
    """See `stages.browse.collection.Collection`."""

    kind: Kind = "dataset"
    has_draws = False
    stamp = ""

    def __init__(self, uri: str) -> None:
        """Raises:
        UserError: no dataset is there.
        """
        self.uri, self.name = uri, posixpath.basename(uri.rstrip("/")) or uri
        self._filesystem, shards = shard_paths(uri)
        self._folder = posixpath.dirname(shards[0])
        self._rows = lru_cache(maxsize=8)(self._read_rows)

    def parts(self) -> list[Part]:
        return parts_of(self._filesystem, shard_paths(self.uri)[1])

    def figures(self) -> Mapping[str, Any]:
        return read_figures(self._filesystem, self._folder)

    def read(self, part: Part) -> Iterator[pa.Table]:
        with pq.ParquetFile(part.path, filesystem=self._filesystem) as file:
            names = set(file.schema_arrow.names)
            if missing := set(NEEDED) - names:
                raise UserError(
                    f"{part.path}: has no column {min(missing)!r}; name a dataset that this project published"
                )
            paths = [file.schema.column(index).path for index in range(len(file.schema))]
            leaves = [path for path in paths if path.startswith("steps_with_score.") and not path.endswith(".step")]
            columns = [name for name in _INDEXED if name in names] + leaves
            for group in range(file.num_row_groups):
                yield _rows(file.read_row_group(group, columns=columns, use_threads=False), group)

    def problem(self, places: Sequence[Place]) -> ProblemView:
        rows = [self._rows(place.path, place.group).slice(place.row, 1).to_pylist()[0] for place in places]
        first = rows[0]
        judge = ", ".join(one["name"] for one in self.figures().get("judges", ())) or "judge"
        found = first.get("contamination")
        return ProblemView(
            id=problem_of(first["id"]),
            source=first["source"],
            question=first["question"],
            answer=first["answer"] or "",
            images=len(first.get("images") or ()),
            solutions=[_solution(row, judge) for row in rows],
            prompt=first["prompt"] or "",
            contamination=None if found is None else tuple(found),
        )

    def pictures(self, place: Place) -> list[bytes]:
        with pq.ParquetFile(place.path, filesystem=self._filesystem) as file:
            batches = file.iter_batches(_PICTURES_AT_ONCE, [place.group], ["images"], use_threads=False)
            for number, batch in enumerate(batches):
                if place.row < (number + 1) * _PICTURES_AT_ONCE:
                    images = batch["images"][place.row % _PICTURES_AT_ONCE].as_py() or []
                    return [image["bytes"] or b"" for image in images]
        return []

    def _read_rows(self, path: str, group: int) -> pa.Table:
        """A row group without the bytes of its pictures."""
        with pq.ParquetFile(path, filesystem=self._filesystem) as file:
            paths = [file.schema.column(index).path for index in range(len(file.schema))]
            columns = [name for name in paths if not (name.startswith("images.") and name.endswith(".bytes"))]
            return file.read_row_group(group, columns=columns, use_threads=False)


def _rows(table: pa.Table, group: int) -> pa.Table:
    ids = table["id"].combine_chunks()
    names = set(table.column_names)
    right = (
        table["response_correct"].combine_chunks() if "response_correct" in names else pa.nulls(len(ids), pa.bool_())
    )
    codes = [STATUSES.index(name) for name in ("correct", "incorrect", "unknown")]
    status = pc.if_else(pc.is_null(right), codes[2], pc.if_else(right, codes[0], codes[1]))
    columns = {
        "problem_id": pc.list_element(pc.split_pattern(ids, "/", max_splits=1), 0),
        "solution_id": ids,
        "group": pa.array([group] * len(ids), pa.int32()),
        "row": pa.array(range(len(ids)), pa.int32()),
        "source": table["source"],
        "policy": table["policy_model"] if "policy_model" in names else None,
        "question": table["question"],
        "answer": table["answer"],
        "text": table["response"],
        "status": status,
        "contamination": _flagged(table["contamination"]) if "contamination" in names else None,
    }
    return rows_table(columns, published_steps(table["steps_with_score"].combine_chunks()))


def _flagged(lists: pa.ChunkedArray) -> pa.Array:
    return pc.greater(pc.list_value_length(lists), 0).cast(pa.int8())


def _solution(row: Mapping[str, Any], judge: str) -> SolutionView:
    right = row.get("response_correct")
    view = SolutionView(
        id=row["id"],
        policy=row.get("policy_model") or "",
        answer=row.get("response_answer"),
        status="unknown" if right is None else "correct" if right else "incorrect",
        steps=[
            StepView(
                step["step"],
                step.get("label"),
                step.get("score"),
                step.get("num_mc_correct"),
                step.get("num_mc_total"),
                step.get("origin"),
            )
            for step in row["steps_with_score"] or ()
        ],
    )
    if row.get("judge_verdict") is not None:
        said = zip(row["judge_verdict"], row["judge_category"], row["judge_votes"], strict=True)
        for step, (verdict, category, votes) in zip(view.steps, said, strict=True):
            step.judges = [JudgedView(judge, verdict, category, votes)]
    return view
