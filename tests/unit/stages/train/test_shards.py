"""Shards as others leave them: shuffled, saved again with other types, with holes."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import UserError
from pipeline.schemas import IMPORTED_SCHEMA, PUBLISHED_SCHEMA
from stages.reward.render import Layout
from stages.train.prepare import Prepared, prepare
from stages.train.samples import Sample
from stages.train.shards import COLUMNS, find_shards, in_order, problems, reads_as
from tests import shards
from tests.families import family
from tests.unit.stages.train.test_prepare import config, prepared

ROWS = shards.solutions(24, 4)
Rows = list[dict[str, Any]]


def shuffled(rows: Rows) -> Rows:
    return random.Random(0).sample(rows, len(rows))


def learnt(found: Prepared) -> set[Any]:
    def key(sample: Sample) -> Any:
        return (tuple(sample.token_ids), tuple(sample.labels), tuple(sample.weights), tuple(sample.images))

    return {key(sample) for part in (found.train, found.held_out) for sample in part}


@pytest.mark.parametrize("changes", [{}, {"data__drop_all_right": True}, {"target__kind": "advantage"}, {"data__keep": 0.5},
                                     {"data__keep": 0.5, "data__select": "informative"}])  # fmt: skip
def test_the_order_of_rows_changes_no_sample(tmp_path: Path, changes: dict[str, Any]) -> None:
    sides = {"data__held_out": 0.2, **changes}
    ordered = prepared(tmp_path / "a", ROWS, **sides)
    found = prepared(tmp_path / "b", shuffled(ROWS), **sides)
    assert learnt(found) == learnt(ordered)
    for name in ("counts", "left_out", "labels", "class_weights"):
        assert found.facts[name] == ordered.facts[name]
    assert not list((tmp_path / "b/run").glob("tmp*"))


def test_problems_are_whole_in_order_of_their_first_rows_with_their_images(tmp_path: Path) -> None:
    rows = shuffled(ROWS)
    rows[0]["images"] = [{"bytes": None, "path": "x.png"}, *rows[0]["images"]]
    files = find_shards(shards.write(tmp_path, rows))
    assert not in_order(files)
    found = list(problems(files, COLUMNS, tmp_path))
    names = [row["id"].split("/")[0] for row in rows]
    assert [same[0]["id"].split("/")[0] for same in found] == list(dict.fromkeys(names))
    flat = [row for same in found for row in same]
    assert sorted(row["id"] for row in flat) == sorted(row["id"] for row in rows)
    images = {row["id"]: row["images"] for row in rows}
    assert all(row["images"] == images[row["id"]] for row in flat)


def like_pandas(table: pa.Table, path: Path) -> None:
    pd.DataFrame(table.to_pylist()).to_parquet(path)


def like_polars(table: pa.Table, path: Path) -> None:
    schema = pa.schema([_views(field, pa.string_view()) for field in table.schema])
    pq.write_table(pa.Table.from_pylist(table.to_pylist(), schema), path)


def with_dictionaries(table: pa.Table, path: Path) -> None:
    for name in ("id", "source", "question", "response"):
        table = table.set_column(table.schema.get_field_index(name), name, table[name].dictionary_encode())
    pq.write_table(table, path)


def _views(field: pa.Field, text: pa.DataType) -> pa.Field:
    kind = field.type
    if pa.types.is_list(kind):
        # pyarrow writes no views inside lists.
        kind = pa.large_list(_views(kind.value_field, pa.large_string()))
    elif pa.types.is_struct(kind):
        kind = pa.struct([_views(inner, text) for inner in kind])
    else:
        kind = {pa.string(): text, pa.binary(): pa.large_binary()}.get(kind, kind)
    return field.with_type(kind)


@pytest.mark.parametrize("save", [like_pandas, like_polars, with_dictionaries])
@pytest.mark.parametrize("threshold", [None, 0.5])
def test_shards_that_were_saved_again_train_as_they_are(
    tmp_path: Path, save: Callable[[pa.Table, Path], None], threshold: float | None
) -> None:
    rows = [{**row, "response_correct": None} for row in ROWS]
    expected = prepared(tmp_path / "a", rows, target__threshold=threshold)
    shutil.copytree(tmp_path / "a/data", tmp_path / "b/data")
    (file,) = (tmp_path / "b/data").glob("*.parquet")
    save(pq.read_table(file), file)
    assert pq.read_schema(file) != PUBLISHED_SCHEMA
    settings = config(tmp_path / "b", str(tmp_path / "b/data"), target__threshold=threshold)
    found = prepare(settings, family("demo")[1], Layout())
    assert learnt(found) == learnt(expected)
    assert found.facts["labels"] == expected.facts["labels"]


@pytest.mark.parametrize(
    ("found", "wanted", "fits"),
    [
        (pa.int64(), pa.int32(), True),
        (pa.null(), pa.bool_(), True),
        (pa.dictionary(pa.int32(), pa.large_string()), pa.string(), True),
        (pa.list_(pa.string()), pa.string(), False),
        (pa.string(), pa.float64(), False),
        (pa.string(), pa.binary(), False),
        (pa.list_(pa.struct([("path", pa.string())])), IMPORTED_SCHEMA.field("images").type, False),
    ],
)
def test_types_of_the_same_values(found: pa.DataType, wanted: pa.DataType, fits: bool) -> None:
    assert reads_as(found, wanted) is fits


def _step(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda row: row["steps_with_score"][1].update(changes)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_step(score=1.5), "step 2: score 1.5 is not from 0 to 1"),
        (_step(score=-0.1), "step 2: score -0.1 is not from 0 to 1"),
        (_step(score=float("nan")), "step 2: score nan is not from 0 to 1"),
        (_step(step=None), "step 2: its text is null"),
        (_step(label="good"), "step 2: label 'good' is neither"),
        (_step(num_mc_correct=17), "step 2: num_mc_correct is 17 of num_mc_total 16"),
        (_step(num_mc_correct=None), "step 2: num_mc_correct is null of"),
        (lambda row: row.update(question=None), "question is null"),
        (lambda row: row.update(steps_with_score=None), "steps_with_score is null"),
        (lambda row: row.update(images=None), "images is null"),
        (lambda row: row.update(images=[None]), "an image is null"),
        (lambda row: row["steps_with_score"].append(None), "is null"),
    ],
)
@pytest.mark.parametrize("shuffle", [False, True])
def test_what_nothing_can_be_learnt_from_is_named_before_training(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], says: str, shuffle: bool
) -> None:
    rows = shards.solutions(4)
    name = rows[5]["id"]
    change(rows[5])
    with pytest.raises(UserError) as error:
        prepared(tmp_path, shuffled(rows) if shuffle else rows)
    assert f"{name}: " in str(error.value)
    assert says in str(error.value)
    assert not list((tmp_path / "run").glob("samples-*"))


def test_a_row_without_an_id_is_named_by_its_number(tmp_path: Path) -> None:
    rows = shards.solutions(8)
    rows[9]["id"] = None
    with pytest.raises(UserError, match="row 9: id is null"):
        prepared(tmp_path, rows)
