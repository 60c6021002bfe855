"""The shards of a published dataset as a training reads them: checked, and each problem's rows together.

A published dataset is read a row group at a time. Where rows of a problem lie apart (somebody shuffled or sorted it),
they are put aside in a file without a name, images once, and memory holds their places.
"""

from __future__ import annotations

import hashlib
import itertools
import pickle
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import manifest
from pipeline.errors import UserError
from pipeline.inputs import located, searched
from pipeline.records import problem_of
from pipeline.schemas import IMPORTED_SCHEMA

COLUMNS = ("id", "source", "images", "question", "response", "steps_with_score", "response_correct")
LIGHT = tuple(name for name in COLUMNS if name != "images")
EXTRA = "extra"
"""What imported shards have besides."""
_FILLED = tuple(name for name in COLUMNS if name != "response_correct")
_OPTIONAL = {"label", "origin"}
"""What steps may lack, for it follows from their scores."""

Row = dict[str, Any]


def find_shards(path: str, folders: Sequence[Path] = ()) -> list[Path]:
    """The shards of a published dataset, each of the right schema; `folders` are those of the config that names it.

    Raises:
        UserError: there is none, or one has another schema.
    """
    folder = Path(located(path, folders))
    shards = sorted(folder.glob("*.parquet"))
    if not shards:
        places = "" if folder.exists() else searched(path, folders)
        raise UserError(f"data.path: {path} holds no .parquet shards{places}: `visualprm dataset` makes them")
    for shard in shards:
        try:
            schema = pq.read_schema(shard)
        except (OSError, pa.ArrowInvalid) as error:
            raise UserError(f"{shard}: not a Parquet file: {error}") from error
        for name in (*COLUMNS, *({EXTRA} & set(schema.names))):
            if name not in schema.names:
                raise UserError(f"{shard}: has no column {name!r}: give shards that `visualprm publish` wrote")
            if not reads_as(schema.field(name).type, IMPORTED_SCHEMA.field(name).type):
                raise UserError(
                    f"{shard}: column {name!r} is {schema.field(name).type}, not as published: publish again"
                )
    return shards


def reads_as(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Do values of a column give the same Python values as the published type? So they do as pandas and Polars save them."""
    types = pa.types
    if types.is_dictionary(found):
        return reads_as(found.value_type, wanted)
    if types.is_null(found):
        return True
    if types.is_struct(wanted):
        return types.is_struct(found) and all(
            reads_as(found.field(field.name).type, field.type)
            if found.get_field_index(field.name) >= 0
            else field.name in _OPTIONAL
            for field in wanted
        )
    if types.is_list(wanted):
        return _is_list(found) and reads_as(found.value_type, wanted.value_type)
    kinds: list[tuple[Callable[[pa.DataType], bool], ...]] = [
        (types.is_string, types.is_large_string, types.is_string_view),
        (types.is_binary, types.is_large_binary, types.is_binary_view),
        (types.is_integer,),
        (types.is_floating,),
        (types.is_boolean,),
    ]
    return any(any(is_kind(wanted) for is_kind in kind) and any(is_kind(found) for is_kind in kind) for kind in kinds)


def fingerprint(shards: Sequence[Path]) -> str:
    """16 hex digits over the shards' bytes; where their folder has a manifest, as it states them (`check_dataset`)."""
    digest = hashlib.sha256()
    held = manifest.load(str(shards[0].parent)) or {}
    for shard in shards:
        found = held[shard.name][0] if shard.name in held else manifest.sum_of(str(shard))
        digest.update(bytes.fromhex(found.sha256))
    return digest.hexdigest()[:16]


def in_order(shards: Sequence[Path]) -> bool:
    """Do the rows of every problem lie side by side? Reads the ids alone.

    Raises:
        UserError: a row has none.
    """
    seen: set[str] = set()
    last = None
    for row in _rows(shards, ["id"]):
        if (problem := problem_of(row["id"])) != last:
            if problem in seen:
                return False
            seen.add(problem)
            last = problem
    return True


def problems(shards: Sequence[Path], columns: Sequence[str], folder: Path) -> Iterator[list[Row]]:
    """The rows of each problem, whatever their order; problems are in the order of their first rows.

    Args:
        folder: where rows that lie apart are put aside.

    Raises:
        UserError: a row that can't be trained on, by its id.
    """
    rows = _rows(shards, columns)
    if in_order(shards):
        for _, same in itertools.groupby(rows, key=lambda row: problem_of(row["id"])):
            yield list(same)
    else:
        yield from _gathered(rows, folder)


def _gathered(rows: Iterable[Row], folder: Path) -> Iterator[list[Row]]:
    places: dict[str, list[tuple[int, int]]] = {}
    stored: dict[bytes, tuple[int, int]] = {}
    with tempfile.TemporaryFile(dir=folder) as aside:

        def put(data: bytes) -> tuple[int, int]:
            return aside.tell(), aside.write(data)

        def take(place: tuple[int, int]) -> bytes:
            aside.seek(place[0])
            return aside.read(place[1])

        for row in rows:
            for image in row.get("images", ()):
                if (data := image["bytes"]) is not None:
                    key = hashlib.sha256(data).digest()
                    if key not in stored:
                        stored[key] = put(data)
                    image["bytes"] = stored[key]
            places.setdefault(problem_of(row["id"]), []).append(put(pickle.dumps(row)))
        for same in places.values():
            found: list[Row] = [pickle.loads(take(place)) for place in same]
            for row in found:
                for image in row.get("images", ()):
                    image["bytes"] = None if image["bytes"] is None else take(image["bytes"])
            yield found


def _rows(shards: Sequence[Path], columns: Sequence[str]) -> Iterator[Row]:
    for shard in shards:
        first = 0
        with pq.ParquetFile(shard) as file:
            held = [name for name in columns if name in file.schema_arrow.names]
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=held)
                for offset, batch in enumerate(table.to_batches(max_chunksize=1)):
                    row = batch.to_pylist()[0]
                    if fault := _fault(row):
                        name = row["id"] or f"row {first + offset}"
                        raise UserError(f"{shard}: {name}: {fault}: correct or remove this row, or publish again")
                    yield row
                first += table.num_rows


def _fault(row: Mapping[str, Any]) -> str | None:
    """Why nothing can be learnt from a row as it is."""
    for name in _FILLED:
        if name in row and row[name] is None:
            return f"{name} is null"
    if not row["id"]:
        return "id is empty"
    if None in row.get("images", ()):
        return "an image is null"
    for number, step in enumerate(row.get("steps_with_score", ()), start=1):
        if step is None:
            return f"step {number} is null"
        if fault := _step_fault(step):
            return f"step {number}: {fault}"
    return None


def _step_fault(step: Mapping[str, Any]) -> str | None:
    score, right, drawn, label = (step.get(name) for name in ("score", "num_mc_correct", "num_mc_total", "label"))
    if step["step"] is None:
        return "its text is null"
    # NaN is in no interval.
    if score is not None and not 0 <= score <= 1 and drawn != 0:
        return f"score {score:g} is not from 0 to 1"
    if drawn and (right is None or not 0 <= right <= drawn):
        return f"num_mc_correct is {'null' if right is None else right} of num_mc_total {drawn}"
    return None if label in (None, "+", "-") else f"label {label!r} is neither + nor -"


def _is_list(kind: pa.DataType) -> bool:
    types = pa.types
    views = (types.is_list_view, types.is_large_list_view)
    return any(is_kind(kind) for is_kind in (types.is_list, types.is_large_list, types.is_fixed_size_list, *views))
