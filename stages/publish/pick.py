"""Which problems of a published dataset to look at: by id, source and label, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import pyarrow.fs as pafs
import pyarrow.parquet as pq

from pipeline.errors import UserError, did_you_mean
from pipeline.records import problem_of
from pipeline.store.dataset_files import shard_paths

LABELS: dict[str, str | None] = {"+": "+", "-": "-", "none": None}
"""A step's label as it is typed, and as it is published."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a problem must have. Empty: anything."""

    id: str = ""
    """The beginning of its id or of a solution's; then of its solutions only those that begin so are meant."""
    source: str = ""
    """Its source, or what that is a part of: `demo` is `demo/bars`, too."""
    label: str = ""
    """The label of at least one of its steps, a key of `LABELS`."""

    def fits(self, row: Mapping[str, Any]) -> bool:
        """Whether a row with `id`, `source` and `steps_with_score` is one."""
        return (
            row["id"].startswith(self.id)
            and (not self.source or f"{row['source']}/".startswith(f"{self.source}/"))
            and (not self.label or any(step["label"] == LABELS[self.label] for step in row["steps_with_score"] or ()))
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where the solutions of a problem lie: `rows` of a row group."""

    problem: str
    filesystem: pafs.FileSystem
    shard: str
    group: int
    rows: tuple[int, ...]

    def read(self) -> list[dict[str, Any]]:
        """All columns of its rows, with the images."""
        with pq.ParquetFile(self.shard, filesystem=self.filesystem) as file:
            found: list[dict[str, Any]] = file.read_row_group(self.group).take(list(self.rows)).to_pylist()
        return found


def problems(dataset: str, wanted: Wanted, columns: Sequence[str] = ()) -> Iterator[tuple[Place, list[dict[str, Any]]]]:
    """The problems that fit, in published order, with `columns` of all their solutions that the id allows.

    A problem fits if one of its solutions does. Images are not read.

    Raises:
        UserError: no dataset is there.
    """
    needed = list(dict.fromkeys(("id", "source", "steps_with_score", *columns)))
    filesystem, shards = shard_paths(dataset)
    for shard in shards:
        with pq.ParquetFile(shard, filesystem=filesystem) as file:
            for group in range(file.num_row_groups):
                rows = file.read_row_group(group, columns=needed).to_pylist()
                # A problem is in one row group, its solutions side by side.
                for problem, numbered in groupby(enumerate(rows), lambda each: problem_of(each[1]["id"])):
                    own = {number: row for number, row in numbered if row["id"].startswith(wanted.id)}
                    if any(map(wanted.fits, own.values())):
                        yield Place(problem, filesystem, shard, group, tuple(own)), list(own.values())


def first_two(dataset: str, wanted: Wanted) -> tuple[Place, str | None]:
    """The first problem that fits, and the id of the next one that does but for its id; None if it was the last.

    Raises:
        UserError: no dataset is there, or nothing fits.
    """
    rest = Wanted(source=wanted.source, label=wanted.label)
    found: Place | None = None
    for place, rows in problems(dataset, Wanted() if wanted.id else rest):
        if found is not None:
            if any(map(rest.fits, rows)):
                return found, place.problem
        elif any(map(wanted.fits, rows)):
            own = (number for number, row in zip(place.rows, rows, strict=True) if row["id"].startswith(wanted.id))
            found = replace(place, rows=tuple(own))
    if found is None:
        raise UserError(f"{dataset}: {_why_nothing(dataset, wanted)}")
    return found, None


def _why_nothing(dataset: str, wanted: Wanted) -> str:
    """The part of what is wanted that nothing has."""
    sources = {rows[0]["source"]: None for _, rows in problems(dataset, Wanted())}
    if not sources:
        return "the dataset is empty"
    if wanted.id and next(problems(dataset, Wanted(wanted.id)), None) is None:
        return f"no id begins with {wanted.id!r}; an id looks like <problem>/<policy>/s0"
    if wanted.source and next(problems(dataset, Wanted(source=wanted.source)), None) is None:
        known = ", ".join(list(sources)[:20])
        return f"no problem is of the source {wanted.source!r}{did_you_mean(wanted.source, sources)}; it has {known}"
    return "no problem has all that is asked for: leave out --label, --source or --id"
