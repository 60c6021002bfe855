"""The solutions of a published dataset, as judges are given them: problems, and beside them the texts of the steps.

Both lie in the judge's directory, so a block of problems reads a small file, as it reads one of a run's ledger. Rows of a
problem need not lie side by side: what is known of it waits, without its pictures, for its last row.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import origin, schemas
from pipeline.config import EngineConfig, RunConfig, parse_config
from pipeline.engine.policy import policy_name
from pipeline.errors import UserError
from pipeline.records import Image, Problem, SolutionId, problem_row
from pipeline.source_config import SourceConfig
from pipeline.store import Store, beside, one_line_io_errors, open_uri
from pipeline.store.dataset_files import check_dataset, dataset_rows, read_figures, shard_sums
from stages.annotate.earlier_run import COLUMN
from stages.judge.config import JudgingConfig

SUFFIX = ".judgements"
"""Beside the dataset's folder, which is replaced as a whole when it is published again."""
PROBLEMS_AT_ONCE = 256
BYTES_AT_ONCE = 64_000_000
"""Problems of one file, and bytes of their pictures: what is in memory."""
_COLUMNS = ["id", "source", "images", "question", "answer", "steps_with_score"]
_SOLUTION = pa.struct([("solution_id", pa.string()), ("steps", pa.list_(pa.struct([("text", pa.string())])))])
_STEPS = pa.schema([("problem_id", pa.string()), ("policy_key", pa.string()), ("solutions", pa.list_(_SOLUTION))])
"""As much of a ledger's row as a judge reads."""
_PROBLEMS = schemas.PROBLEM_SCHEMA.append(pa.field(COLUMN, pa.string()))


class JudgedDataset:
    """See `ledgers.Judged`, and `run.ToJudge`."""

    what = "dataset"

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.home = Store(beside(uri, SUFFIX))

    def key(self) -> str:
        """By the shards' sums."""
        return origin.digest(shard_sums(self.uri))

    def settings(self) -> RunConfig:
        """Those of a run that has this dataset as its only source: it says nothing of how it was drawn."""
        return parse_config({"name": "dataset", "sources": [{"name": "dataset", "path": self.uri}]})

    def written_by(self, engine: EngineConfig, model: str) -> bool:
        """Whether the dataset names this engine's model as a policy."""
        filesystem, folder = open_uri(self.uri)
        policies = read_figures(filesystem, folder).get("policies", ())
        return policy_name(engine) in {each["policy_model"] for each in policies}

    def take_over(self, store: Store, judging: JudgingConfig) -> None:
        """Gives the judge's directory the dataset's problems, each with the file that holds its solutions.

        Raises:
            UserError: files of the dataset are damaged, an id is of another form, rows of a problem differ in what they ask,
                or the judge is to be shown right answers that are not there.
        """
        check_dataset(self.uri)
        for folder in ("problems", "steps"):
            store.clear(folder)
        with one_line_io_errors(store.uri):
            writer = _Writer(store)
            for waiting, row in _problems(self.uri):
                if row["answer"] is None and judging.show_answer:
                    raise UserError(f"judge.show_answer: {self.uri}: {row['id']} has no answer: set it to false")
                writer.add(waiting, row)
            writer.flush()
            store.write_json("problems.json", {"problems": writer.problems, "rejected": {}})


@dataclass(slots=True)
class _Waiting:
    """What is known of a problem before its last row: what it asks, and the solutions so far."""

    problem_id: str
    asks: tuple[str | None, ...]
    policies: dict[str, None] = field(default_factory=dict)
    solutions: list[dict[str, Any]] = field(default_factory=list)


def _problems(dataset: str) -> Iterator[tuple[_Waiting, Mapping[str, Any]]]:
    """Each problem once all of its solutions are there, with its last row."""
    left = _rows_of(dataset)
    waiting: dict[str, _Waiting] = {}
    for row in dataset_rows(dataset, _COLUMNS, _COLUMNS):
        one = SolutionId.parse(row["id"])
        asks = (
            row["source"],
            row["question"],
            row["answer"],
            *(Image.of(image["bytes"]).sha256 for image in row["images"]),
        )
        own = waiting.setdefault(one.problem_id, _Waiting(one.problem_id, asks))
        if own.asks != asks:
            raise UserError(f"{dataset}: {row['id']}: asks something else than another row of its problem: mend its id")
        if row["steps_with_score"] is None:
            raise UserError(f"{dataset}: {row['id']}: has no steps_with_score: remove the row")
        own.policies[one.policy_key] = None
        steps = [{"text": step["step"]} for step in row["steps_with_score"]]
        own.solutions.append({"solution_id": row["id"], "steps": steps})
        left[one.problem_id] -= 1
        if not left[one.problem_id]:
            yield waiting.pop(one.problem_id), row


def _rows_of(dataset: str) -> dict[str, int]:
    """How many rows each problem has."""
    found: dict[str, int] = {}
    seen: set[str] = set()
    for row in dataset_rows(dataset, ["id"], ["id"]):
        try:
            problem = SolutionId.parse(row["id"]).problem_id
        except (ValueError, TypeError) as error:
            raise UserError(f"{dataset}: id {error}: `visualprm import` makes a dataset with such ids") from error
        if row["id"] in seen:
            raise UserError(f"{dataset}: {row['id']} is the id of two rows: give each its own")
        seen.add(row["id"])
        found[problem] = found.get(problem, 0) + 1
    return found


class _Writer:
    """Problems into files of the judge's directory, and the texts of their steps into others."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._problem_rows: list[dict[str, Any]] = []
        self._step_rows: list[dict[str, Any]] = []
        self._bytes = self._parts = self.problems = 0

    def add(self, waiting: _Waiting, row: Mapping[str, Any]) -> None:
        images = tuple(Image.of(image["bytes"]) for image in row["images"])
        problem = Problem(
            problem_id=waiting.problem_id,
            source=row["source"],
            row_id=waiting.problem_id,
            question=row["question"],
            answer=row["answer"] or "",
            images=images,
            # The question lists them, and nothing is verified.
            options=(),
            verify=(),
            max_tiles=SourceConfig.model_fields["max_tiles"].default,
            prompt="",
        )
        self._problem_rows.append({**problem_row(problem), COLUMN: self._store.address(self._name("steps"))})
        policy = ",".join(waiting.policies)
        self._step_rows.append({"problem_id": waiting.problem_id, "policy_key": policy, "solutions": waiting.solutions})
        self._bytes += sum(len(image.data) for image in images)
        if len(self._step_rows) >= PROBLEMS_AT_ONCE or self._bytes >= BYTES_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        if not self._step_rows:
            return
        for folder, rows, schema in (("steps", self._step_rows, _STEPS), ("problems", self._problem_rows, _PROBLEMS)):
            with self._store.new_file(self._name(folder)) as out:
                pq.write_table(schemas.table(rows, schema), out, compression="zstd")
        self.problems += len(self._step_rows)
        self._problem_rows, self._step_rows, self._bytes = [], [], 0
        self._parts += 1

    def _name(self, folder: str) -> str:
        return posixpath.join(folder, f"part-{self._parts:05d}.parquet")
