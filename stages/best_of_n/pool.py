"""A pool of candidate solutions on disk: frozen, named by its content, read by every critic.

problems.parquet      a row a problem, sorted by `problem_id`, with its images, which are stored nowhere else
candidates.parquet    a row a candidate, in the same order, then by number
pool.json             how the pool was made, and its hash; written last
scores/<critic>/      what each critic says (`stages/best_of_n/scores.py`)

The hash is over problems and candidates as text, not over files: the same pool has the same hash whatever wrote it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import atomic, origin
from pipeline.config import SplitConfig
from pipeline.errors import UserError
from pipeline.markdown import counted
from pipeline.records import FinishReason, Image, VerdictStatus, asked
from pipeline.schemas import PROBLEM_SCHEMA
from pipeline.store import Store, one_line_io_errors

POOL_PROBLEM_SCHEMA = PROBLEM_SCHEMA.append(pa.field("policy_prompt", pa.string()))
"""`policy_prompt` is the user turn that the policy saw; null where that is not known."""
CANDIDATE_SCHEMA = pa.schema(
    [
        ("problem_id", pa.string()),
        ("candidate", pa.int32()),
        ("candidate_id", pa.string()),
        ("text", pa.string()),
        ("steps", pa.list_(pa.string())),
        ("answer", pa.string()),
        ("status", pa.string()),
        ("answer_group", pa.int32()),
        ("seed", pa.int64()),
        ("finish_reason", pa.string()),
        ("num_tokens", pa.int32()),
    ]
)
Item = TypeVar("Item")
PROBLEMS_AT_ONCE = 32
"""Problems of a row group: what is in memory at a time."""


@dataclass(frozen=True, slots=True)
class PoolCandidate:
    """One solution of a problem. `answer_group` says which candidates agree; null without an answer.

    Number 0 is the greedy one if the pool has one. `num_tokens` counts generated tokens; it and the seed are null in a
    pool that was imported.
    """

    problem_id: str
    candidate: int
    candidate_id: str
    text: str
    steps: tuple[str, ...]
    answer: str | None
    status: VerdictStatus
    answer_group: int | None
    seed: int | None
    finish_reason: FinishReason
    num_tokens: int | None

    @property
    def correct(self) -> bool:
        return self.status == "correct"


@dataclass(frozen=True, slots=True)
class PoolProblem:
    """A problem as a critic gets it, its options in the question, and its candidates in order."""

    problem_id: str
    source: str
    question: str
    policy_prompt: str | None
    answer: str
    images: tuple[Image, ...]
    candidates: tuple[PoolCandidate, ...]


def cut_by(how: SplitConfig) -> dict[str, Any]:
    """What pool.json says of how solutions were cut into steps."""
    return {"max_steps": how.max_steps, "split": how.model_dump(mode="json")}


class Pool:
    """A pool that is complete.

    Raises:
        UserError: none is there, or the files are not those that were frozen.
    """

    def __init__(self, folder: str) -> None:
        self.store = Store(folder)
        if not self.store.exists("pool.json"):
            raise UserError(
                f"{folder}: no candidate pool is here; `visualprm bon sample CONFIG --out {folder}` makes one, "
                f"`visualprm bon import FILE --out {folder}` takes candidates that exist"
            )
        mend = "a frozen pool must stay as it is: restore it, or sample another one"
        try:
            self.about: dict[str, Any] = self.store.read_json("pool.json")
            stated = (self.hash, self.num_problems, self.num_problems * self.num_candidates)
            found = self._content()
        except (OSError, ValueError, KeyError, TypeError) as error:
            text = " ".join(str(error).split())[:200]
            raise UserError(f"{folder}: can't be read as a pool ({text}): {mend}") from error
        if found != stated:
            files, document = (
                f"{key[:12]}, {rows} problems, {total} candidates" for key, rows, total in (found, stated)
            )
            raise UserError(f"{folder}: its files are {files}, pool.json says {document}: {mend}")

    @property
    def hash(self) -> str:
        return str(self.about["hash"])

    @property
    def num_problems(self) -> int:
        return int(self.about["problems"])

    @property
    def num_candidates(self) -> int:
        """Candidates of every problem."""
        return int(self.about["num_candidates"])

    @property
    def greedy_first(self) -> bool:
        return bool(self.about["sampling"]["greedy_first"])

    @property
    def split(self) -> SplitConfig | None:
        """How solutions were cut into steps; null in a pool from before that was recorded, or from a later version.

        Raises:
            UserError: a later version cut one part of them, in a way that this one does not know.
        """
        if (stated := self.about.get("split")) is None:
            return None
        try:
            return SplitConfig.model_validate(stated)
        except ValueError as error:
            if isinstance(stated, dict) and stated.get("part", "all") == "all":
                # Nothing is context, wherever the steps were cut.
                return None
            raise UserError(
                f"{self.store.uri}/pool.json: split can't be read, so which steps have a score is not known: take the "
                "version of visualprm that made this pool"
            ) from error

    @property
    def sources(self) -> dict[str, str]:
        """problem_id → source, in the pool's order."""
        table = pq.read_table(
            self.store.path("problems.parquet"), columns=["problem_id", "source"], filesystem=self.store.filesystem
        )
        return dict(zip(table["problem_id"].to_pylist(), table["source"].to_pylist(), strict=True))

    def candidates(self) -> Iterator[tuple[str, list[PoolCandidate]]]:
        """Every problem's id with its candidates; images stay on the disk."""
        rows = read_rows(self.store.path("candidates.parquet"), self.store)
        for problem_id, same in groupby(rows, key=itemgetter("problem_id")):
            yield problem_id, [PoolCandidate(**{**row, "steps": tuple(row["steps"])}) for row in same]

    def problems(self) -> Iterator[PoolProblem]:
        """Every problem with its images and candidates."""
        for row, (problem_id, candidates) in zip(self._problem_rows(), self.candidates(), strict=True):
            images = tuple(Image(**image) for image in row["images"])
            yield PoolProblem(
                problem_id,
                row["source"],
                asked(row["question"], row["options"]),
                row["policy_prompt"],
                row["answer"],
                images,
                tuple(candidates),
            )

    def _problem_rows(self) -> Iterator[dict[str, Any]]:
        return read_rows(self.store.path("problems.parquet"), self.store)

    def _content(self) -> tuple[str, int, int]:
        """The hash of what the files hold, and how many problems and candidates that is."""
        digest, problems, total = ContentHash(), 0, 0
        for row, (_, candidates) in zip(self._problem_rows(), self.candidates(), strict=True):
            digest.add(row, candidates)
            problems, total = problems + 1, total + len(candidates)
        return digest.hex, problems, total


class ContentHash:
    """SHA-256 over problems with their candidates, in order; an image counts by the SHA-256 of its bytes."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, problem: Mapping[str, Any], candidates: Sequence[PoolCandidate]) -> None:
        images = [hashlib.sha256(image["data"]).hexdigest() for image in problem["images"]]
        for part in ({**problem, "images": images}, *map(dataclasses.asdict, candidates)):
            self._digest.update(json.dumps(part, sort_keys=True, ensure_ascii=False).encode() + b"\n")

    @property
    def hex(self) -> str:
        return self._digest.hexdigest()


def write_pool(
    folder: str, items: Iterable[tuple[Mapping[str, Any], Sequence[PoolCandidate]]], about: Mapping[str, Any]
) -> None:
    """Freezes rows of problems with their candidates, which come sorted by `problem_id`.

    Raises:
        UserError: the disk refuses, the folder holds something, or there is no problem to freeze.
    """
    target = Store(folder)
    if target.files("", ""):
        raise UserError(f"{folder}: holds files that are not a pool: choose another folder by --out, or move them")
    digest, problems, candidates = ContentHash(), 0, 0
    with one_line_io_errors(folder), atomic.new_folder(target.root, target.filesystem, ("pool.json",)) as staging:
        files = {"problems": POOL_PROBLEM_SCHEMA, "candidates": CANDIDATE_SCHEMA}
        with ExitStack() as stack:
            sinks = {
                name: stack.enter_context(atomic.opened(f"{staging}/{name}.parquet", target.filesystem))
                for name in files
            }
            writers = {
                name: stack.enter_context(pq.ParquetWriter(sinks[name], schema, compression="zstd"))
                for name, schema in files.items()
            }
            for chunk in batched(items, PROBLEMS_AT_ONCE):
                rows: dict[str, list[Mapping[str, Any]]] = {"problems": [], "candidates": []}
                for problem, own in chunk:
                    digest.add(problem, own)
                    rows["problems"].append(problem)
                    rows["candidates"] += map(dataclasses.asdict, own)
                problems += len(rows["problems"])
                candidates += len(rows["candidates"])
                for name, schema in files.items():
                    writers[name].write_table(pa.Table.from_pylist(rows[name], schema=schema))
        if not problems:
            raise UserError(f"{folder}: no problem has candidates, so there is nothing to freeze: see quarantine/")
        document = {"hash": digest.hex, "problems": problems, "candidates": candidates, **about}
        with atomic.opened(f"{staging}/pool.json", target.filesystem) as file:
            file.write(json.dumps(document, indent=1, ensure_ascii=False).encode())


def refuse_other(pool: Pool, made: Mapping[str, str]) -> None:
    """
    Raises:
        UserError: the pool was made from something else.
    """
    held = {key: pool.about.get(key) for key in made}
    origin.check(pool.store.uri, held, made, "name another folder by --out", "holds another frozen pool")


def summary(pool: Pool) -> str:
    """A line about a pool."""
    about = pool.about
    greedy = ", the first greedy" if pool.greedy_first else ""
    return (
        f"{counted(about['problems'], 'problem')} × {pool.num_candidates} candidates{greedy} in {pool.store.uri},"
        f" hash {pool.hash[:12]}"
    )


def read_rows(path: str, store: Store) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file, with one row group in memory at a time."""
    with pq.ParquetFile(path, filesystem=store.filesystem) as file:
        for group in range(file.num_row_groups):
            yield from file.read_row_group(group).to_pylist()


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of `size` items; the last one may be shorter."""
    chunk: list[Item] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
