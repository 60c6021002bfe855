"""Files of solutions, read in chunks, and each row as what a scorer is asked about."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import RowError, UserError
from pipeline.records import asked
from stages.load.sources.images import read_images
from stages.load.sources.options import place_images, read_options
from stages.load.sources.roots import Folder
from stages.reward.config import PrmConfig
from stages.reward.cutting import context_of, cut
from stages.reward.model import Candidate, check_steps

CHUNK_ROWS = 64
SUFFIXES = (".jsonl", ".parquet")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a file: from `start` on (a byte of JSONL, a row group of Parquet), the first of them row `first`.

    In a row group they begin at its row `offset`.
    """

    path: str
    start: int
    first: int
    rows: int
    offset: int = 0


def chunks(file: Path, rows: int = CHUNK_ROWS) -> list[Chunk]:
    """Cuts a file into chunks of at most `rows` rows, Parquet at its row groups too.

    Raises:
        UserError: it isn't such a file.
    """
    if file.suffix not in SUFFIXES:
        raise UserError(f"{file}: give a file that ends in {' or '.join(SUFFIXES)}")
    try:
        if file.suffix == ".parquet":
            with pq.ParquetFile(file) as opened:
                sizes = [opened.metadata.row_group(group).num_rows for group in range(opened.num_row_groups)]
            return [
                Chunk(str(file), group, sum(sizes[:group]) + offset, min(rows, size - offset), offset)
                for group, size in enumerate(sizes)
                for offset in range(0, size, rows)
            ]
        found, position, first, count = [], 0, 0, 0
        with file.open("rb") as lines:
            start = 0
            for line in lines:
                position += len(line)
                count += 1
                if count == rows:
                    found.append(Chunk(str(file), start, first, count))
                    start, first, count = position, first + count, 0
        return [*found, Chunk(str(file), start, first, count)] if count else found
    except FileNotFoundError:
        raise UserError(f"{file}: no such file") from None
    except (OSError, pa.ArrowInvalid) as error:
        raise UserError(f"{file}: can't be read: {error}") from error


def read_rows(chunk: Chunk) -> Iterator[dict[str, Any] | RowError]:
    """The chunk's rows; a line that is no object is an error."""
    if chunk.path.endswith(".parquet"):
        group = _row_group(chunk.path, chunk.start, Path(chunk.path).stat().st_mtime_ns)
        yield from group.slice(chunk.offset, chunk.rows).to_pylist()
        return
    with open(chunk.path, "rb") as lines:
        lines.seek(chunk.start)
        for _ in range(chunk.rows):
            try:
                row = json.loads(next(lines))
                yield row if isinstance(row, dict) else RowError("bad_json", "the line is not an object")
            except ValueError as error:
                yield RowError("bad_json", str(error))


@lru_cache(maxsize=1)
def _row_group(path: str, group: int, mtime_ns: int) -> pa.Table:
    """Kept for the group's other chunks: it can't be read in parts without reading what comes before."""
    with pq.ParquetFile(path) as file:
        return file.read_row_group(group)


def candidate(
    row: Mapping[str, Any], root: Folder | None, config: PrmConfig, max_steps: int | None = None
) -> Candidate:
    """A row's solution: `question`, `images` or `image`, and `steps`, `steps_with_score` or a `response` to be split.

    The model is shown `options` too, if the row has them beside the question.

    Raises:
        RowError: the row lacks one of them, or it can't be used.
    """
    question = row.get("question")
    if not isinstance(question, str) or not question.strip():
        raise RowError("missing_question", "`question` must be a text")
    value = row.get("images") if row.get("images") is not None else row.get("image")
    images = read_images(value, root) if value else ()
    options = read_options(row.get("options"))
    texts = options.texts
    if any("<image" in text for text in texts):
        pictures = [data for _, picture in options.pictures for data in read_images(picture, root)]
        question, texts, images = place_images(question, options, images, pictures)
    return Candidate(asked(question, texts), images, *_solution(row, config, max_steps))


def _solution(
    row: Mapping[str, Any], config: PrmConfig, max_steps: int | None
) -> tuple[tuple[str, ...], str | None, frozenset[int]]:
    """The steps, the text that they were cut from where that is known, and which of them are context."""
    context: frozenset[int] = frozenset()
    response = row.get("response")
    whole = response if isinstance(response, str) and row.get("steps") is None else None
    steps: Any = row.get("steps")
    if steps is None and row.get("steps_with_score") is not None:
        steps = [step.get("step") for step in row["steps_with_score"]]
        if steps:
            context = context_of([step.get("origin") == "context" for step in row["steps_with_score"]], config)
    if steps is None and isinstance(response, Mapping):
        steps = response.get("steps")
    if steps is None and isinstance(response, str) and response.strip():
        steps, context = cut(response, config, max_steps)
    if not isinstance(steps, list) or not steps or not all(isinstance(step, str) for step in steps):
        raise RowError("missing_steps", "give `steps`, a list of texts, or `response`, a text")
    check_steps(steps)
    return tuple(steps), whole, context
