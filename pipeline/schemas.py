"""The Arrow schemas of the rows: the one place that names a column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

VERDICT = pa.struct([("status", pa.string()), ("answer", pa.string()), ("mode", pa.string()), ("reason", pa.string())])
DRAW = pa.struct(
    [
        ("token_ids", pa.list_(pa.int32())),
        ("text", pa.string()),
        ("finish_reason", pa.string()),
        ("seed", pa.int64()),
        ("verdict", VERDICT),
    ]
)
STEP = pa.struct(
    [
        ("text", pa.string()),
        ("start", pa.int32()),
        ("end", pa.int32()),
        ("token_exact", pa.bool_()),
        ("draws", pa.list_(DRAW)),
        ("num_mc_correct", pa.int32()),
        ("num_mc_total", pa.int32()),
        ("score", pa.float64()),
        ("origin", pa.string()),
    ]
)
SOLUTION = pa.struct(
    [
        ("solution_id", pa.string()),
        ("text", pa.string()),
        ("token_ids", pa.list_(pa.int32())),
        ("finish_reason", pa.string()),
        ("seed", pa.int64()),
        ("verdict", VERDICT),
        ("steps", pa.list_(STEP)),
    ]
)
PROBLEM_SCHEMA = pa.schema(
    [
        ("problem_id", pa.string()),
        ("source", pa.string()),
        ("row_id", pa.string()),
        ("question", pa.string()),
        ("answer", pa.string()),
        ("images", pa.list_(pa.struct([("sha256", pa.string()), ("data", pa.binary())]))),
        ("options", pa.list_(pa.string())),
        ("verify", pa.list_(pa.string())),
        ("max_tiles", pa.int32()),
        ("prompt", pa.string()),
        ("extra", pa.string()),
        ("contamination", pa.list_(pa.string())),
    ]
)
REFERENCES = pa.field("references", pa.struct([("answers", pa.list_(pa.string())), ("at_least", pa.int32())]))
"""A column of problem files whose sources give several answers; other runs have none."""
MAX_PIXELS = pa.field("max_pixels", pa.int64())
"""A column of problem files whose sources limit pixels; other runs have none."""
LEDGER_SCHEMA = pa.schema(
    [
        ("problem_id", pa.string()),
        ("policy_model", pa.string()),
        ("policy_key", pa.string()),
        ("prompt", pa.string()),
        ("prompt_sha", pa.string()),
        ("strategy", pa.string()),
        ("error", pa.string()),
        ("verifier", pa.string()),
        ("num_draws", pa.int64()),
        ("num_tokens", pa.int64()),
        ("solutions", pa.list_(SOLUTION)),
    ]
)
PUBLISHED_STEP = pa.struct(
    [
        ("step", pa.string()),
        ("score", pa.float64()),
        ("num_mc_correct", pa.int32()),
        ("num_mc_total", pa.int32()),
        ("label", pa.string()),
        ("origin", pa.string()),
    ]
)
PUBLISHED_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("images", pa.list_(pa.struct([("bytes", pa.binary()), ("path", pa.string())]))),
        ("question", pa.string()),
        ("prompt", pa.string()),
        ("answer", pa.string()),
        ("response", pa.string()),
        ("steps_with_score", pa.list_(PUBLISHED_STEP)),
        ("num_mc_sequences", pa.int32()),
        ("response_answer", pa.string()),
        ("response_correct", pa.bool_()),
        ("policy_model", pa.string()),
        ("prompt_sha", pa.string()),
        ("contamination", pa.list_(pa.string())),
    ]
)

JUDGE_FIELDS = (
    pa.field("judge_verdict", pa.list_(pa.string())),
    pa.field("judge_category", pa.list_(pa.string())),
    pa.field("judge_votes", pa.list_(pa.int32())),
)
"""Columns of a dataset whose labels heed a judge, with an entry a step."""

IMPORTED_SCHEMA = PUBLISHED_SCHEMA.append(pa.field("extra", pa.string()))
"""What `visualprm import` writes; `extra` is `stages.publish.kept.Kept` as JSON."""


def table(rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=schema)
