"""A pool of candidates as a collection, with what critics said of it."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.store import Store
from stages.best_of_n.pool import Pool
from stages.browse.arrays import offsets_of, step_lists
from stages.browse.collection import (
    STATUSES,
    Kind,
    Part,
    Place,
    ProblemView,
    SolutionView,
    StepView,
    rows_table,
)
from stages.browse.parts import no_such, parts_of

_TEXTS = ["problem_id", "source", "question", "answer", "options", "verify", "policy_prompt", "contamination"]
_INDEXED = ["problem_id", "candidate_id", "text", "steps", "status", "num_tokens"]


class CandidatePool:
    """See `stages.browse.collection.Collection`. Its steps have critics' scores and no labels."""

    kind: Kind = "pool"
    has_draws = False
    stamp = ""

    def __init__(self, uri: str) -> None:
        """Raises:
        UserError: no pool is there.
        """
        self.uri, self.name = uri, posixpath.basename(uri.rstrip("/")) or uri
        self.store = Store(uri)
        if not self.store.exists("pool.json"):
            raise no_such(uri, "no candidate pool is here")
        self._about: Mapping[str, Any] = self.store.read_json("pool.json")
        self._path, self._problem_path = self.store.path("candidates.parquet"), self.store.path("problems.parquet")
        self._texts: pa.Table | None = None

    def parts(self) -> list[Part]:
        return parts_of(self.store.filesystem, [self._path])

    def figures(self) -> Mapping[str, Any]:
        return {}

    def pool(self) -> Pool:
        """The same, checked against its hash and read as critics' scores need it."""
        return Pool(self.uri)

    def read(self, part: Part) -> Iterator[pa.Table]:
        with pq.ParquetFile(part.path, filesystem=self.store.filesystem) as file:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=_INDEXED, use_threads=False)
                texts = self._problems().take(pc.index_in(table["problem_id"].combine_chunks(), self._ids()))
                lists = table["steps"].combine_chunks()
                steps = step_lists(offsets_of(lists), score=pa.nulls(len(lists.flatten()), pa.float32()))
                columns = {
                    "problem_id": table["problem_id"],
                    "solution_id": table["candidate_id"],
                    "group": pa.array([group] * len(table), pa.int32()),
                    "row": pa.array(range(len(table)), pa.int32()),
                    "source": texts["source"],
                    "policy": pa.array([str(self._about.get("policy_model", ""))] * len(table)),
                    "question": texts["question"],
                    "answer": texts["answer"],
                    "text": table["text"],
                    "status": pc.index_in(table["status"].combine_chunks(), pa.array(STATUSES)),
                    "tokens": table["num_tokens"],
                }
                yield rows_table(columns, steps)

    def problem(self, places: Sequence[Place]) -> ProblemView:
        with pq.ParquetFile(self._path, filesystem=self.store.filesystem) as file:
            groups = {place.group: file.read_row_group(place.group, use_threads=False) for place in places}
        rows = [groups[place.group].slice(place.row, 1).to_pylist()[0] for place in places]
        problem = self._problems().slice(self._row(rows[0]["problem_id"]), 1).to_pylist()[0]
        return ProblemView(
            id=problem["problem_id"],
            source=problem["source"],
            question=problem["question"],
            answer=problem["answer"],
            images=problem["images"],
            options=tuple(problem["options"] or ()),
            prompt=problem["policy_prompt"],
            solutions=[
                SolutionView(
                    row["candidate_id"],
                    str(self._about.get("policy_model", "")),
                    row["answer"],
                    row["status"],
                    [StepView(text) for text in row["steps"]],
                    tokens=row["num_tokens"],
                )
                for row in rows
            ],
            facts=[("pool", str(self._about["hash"])[:12])],
        )

    def pictures(self, place: Place) -> list[bytes]:
        with pq.ParquetFile(self._path, filesystem=self.store.filesystem) as file:
            ids = file.read_row_group(place.group, columns=["problem_id"])["problem_id"]
        row = self._row(ids[place.row].as_py())
        with pq.ParquetFile(self._problem_path, filesystem=self.store.filesystem) as file:
            group = 0
            while row >= file.metadata.row_group(group).num_rows:
                row -= file.metadata.row_group(group).num_rows
                group += 1
            images = file.read_row_group(group, columns=["images"], use_threads=False)["images"][row].as_py()
        return [image["data"] for image in images]

    def _row(self, problem_id: str) -> int:
        return int(pc.index(self._ids(), problem_id).as_py())

    def _ids(self) -> pa.Array:
        return self._problems()["problem_id"].combine_chunks()

    def _problems(self) -> pa.Table:
        """Every problem without the bytes of its pictures, of which `images` has the number."""
        if self._texts is None:
            with pq.ParquetFile(self._problem_path, filesystem=self.store.filesystem) as file:
                names = [name for name in _TEXTS if name in file.schema_arrow.names]
                table = file.read(columns=[*names, "images.list.element.sha256"])
            counts = pc.list_value_length(table["images"])
            self._texts = table.drop(["images"]).append_column("images", counts)
        return self._texts
