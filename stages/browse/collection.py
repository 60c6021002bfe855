"""What a place that can be browsed must answer, and what a page shows of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

import pyarrow as pa

from pipeline.records import VERDICT_STATUSES

Kind = Literal["dataset", "run", "pool", "bench"]
STATUSES = (*VERDICT_STATUSES, "unknown")
"""A solution's own verdict; `unknown` where nothing says whether it is right."""
ORIGINS = ("measured", "own_answer", "implied", "not_sampled", "given", "context")
"""Where a step's label comes from; `given` are the labels of a bench."""

ROWS = pa.schema(
    [
        ("problem_id", pa.string()),
        ("solution_id", pa.string()),
        ("group", pa.int32()),
        ("row", pa.int32()),
        ("item", pa.int32()),
        ("source", pa.string()),
        ("policy", pa.string()),
        ("question", pa.string()),
        ("answer", pa.string()),
        ("text", pa.string()),
        ("status", pa.int8()),
        ("contamination", pa.int8()),
        ("mode", pa.int8()),
        ("draws", pa.int8()),
        ("tokens", pa.int32()),
        ("steps", pa.list_(pa.struct([("score", pa.float32()), ("k", pa.int32()), ("n", pa.int32()),
                                      ("label", pa.int8()), ("origin", pa.int8())]))),
    ]
)  # fmt: skip
"""What is read of every solution to make the index.

`group`, `row` and `item` say where it lies in its file: the row group, the row in it, the entry of that row's solutions.
`status` and `origin` are numbers in `STATUSES` and `ORIGINS`. `contamination`: 0 none, 1 some, null if not compared.
`mode`: the place of the mode that decided among the problem's modes, null if that is not known. `draws`: a bit for each
verdict that any draw got. `label`: 1 right, 0 wrong, -1 neutral; null without one.
"""


class Part(NamedTuple):
    """A file that rows are read from, as it was when it was listed."""

    path: str
    size: int
    modified_ns: int


class Place(NamedTuple):
    """Where a solution lies."""

    path: str
    group: int
    row: int
    item: int


@dataclass(frozen=True, slots=True)
class DrawView:
    """One continuation after a step."""

    text: str
    status: str
    answer: str | None
    mode: str | None
    reason: str | None
    tokens: int
    cut: bool


@dataclass(frozen=True, slots=True)
class JudgedView:
    """What a judge says of a step: the verdict and category of most votes, and how many these are; null without a majority."""

    judge: str
    verdict: str | None
    category: str | None
    votes: int
    reasons: tuple[str, ...] = ()


class Said(NamedTuple):
    """What a critic says of a step: its score, and the interval that a critic which learnt counts gives."""

    critic: str
    score: float | None
    low: float | None = None
    high: float | None = None


@dataclass(slots=True)
class StepView:
    """A step; `label` is `+`, `-`, `0` (neutral) or null."""

    text: str
    label: str | None = None
    score: float | None = None
    k: int | None = None
    n: int | None = None
    origin: str | None = None
    draws: tuple[DrawView, ...] = ()
    critics: list[Said] = field(default_factory=list)
    judges: list[JudgedView] = field(default_factory=list)


@dataclass(slots=True)
class SolutionView:
    """A solution with its own verdict, where there is one."""

    id: str
    policy: str
    answer: str | None
    status: str
    steps: list[StepView]
    mode: str | None = None
    reason: str | None = None
    tokens: int | None = None


@dataclass(slots=True)
class ProblemView:
    """A problem as a page shows it. `images` counts its pictures."""

    id: str
    source: str
    question: str
    answer: str
    images: int
    solutions: list[SolutionView]
    options: tuple[str, ...] = ()
    prompt: str = ""
    contamination: tuple[str, ...] | None = None
    facts: list[tuple[str, str]] = field(default_factory=list)


class Collection(Protocol):
    """Something that can be browsed."""

    name: str
    kind: Kind
    uri: str

    has_draws: bool
    """Whether steps have continuations to look at."""
    stamp: str
    """What its labels depend on beside its files."""

    def parts(self) -> list[Part]:
        """The files of rows as they are now."""

    def read(self, part: Part) -> Iterator[pa.Table]:
        """Tables of `ROWS`, in the order of the file."""

    def problem(self, places: Sequence[Place]) -> ProblemView:
        """A problem with those of its solutions that lie there."""

    def pictures(self, place: Place) -> list[bytes]:
        """The encoded pictures of the problem that the solution there is about, as they are stored."""

    def figures(self) -> Mapping[str, Any]:
        """What its `stats.json` says, of a run the rule of its labels; empty without one."""


def rows_table(columns: Mapping[str, Any], steps: pa.Array) -> pa.Table:
    """A table of `ROWS`; columns that are not given are null."""
    length = len(steps)
    given = {**columns, "steps": steps}
    found = (given.get(name) for name in ROWS.names)
    filled = {name: pa.nulls(length) if value is None else value for name, value in zip(ROWS.names, found, strict=True)}
    return table_of(filled, ROWS)


def table_of(columns: Mapping[str, Any], schema: pa.Schema) -> pa.Table:
    """Columns of any kind, of which the schema names some, as a table of its types."""
    return pa.Table.from_arrays([_array(columns[column.name], column.type) for column in schema], schema=schema)


def _array(value: Any, kind: pa.DataType) -> pa.Array:
    if isinstance(value, pa.ChunkedArray):
        value = value.combine_chunks()
    return value.cast(kind) if isinstance(value, pa.Array) else pa.array(value, kind)
