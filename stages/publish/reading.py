"""The rows of a published dataset, and the draws of a run's ledger, one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow.parquet as pq

from pipeline.config import SplitConfig
from pipeline.errors import UserError
from pipeline.settings import parse_settings
from pipeline.store import Store
from pipeline.store.dataset_files import dataset_rows

NEEDED = ("id", "source", "images", "question", "prompt", "answer", "response", "steps_with_score")


def stated_split(figures: Mapping[str, Any]) -> SplitConfig | None:
    """How a dataset's solutions were cut into steps by its `stats.json`; null where that doesn't say.

    Raises:
        UserError: it says so in a way that this version does not know.
    """
    if (stated := figures.get("split")) is None:
        return None
    return parse_settings(SplitConfig, stated, origin="stats.json: split")


def read_rows(dataset: str) -> Iterator[dict[str, Any]]:
    """Every row in published order; one row group is in memory.

    Raises:
        UserError: no dataset is there, or it lacks columns.
    """
    return dataset_rows(dataset, NEEDED)


def read_draws(run: str) -> Iterator[dict[str, Any]]:
    """The continuations of a run, a row for every step: `id` (of the solution), `step` (from 0), `text`, `draws`.

    `id` is that of the dataset's row. A draw has `text`, `seed`, `finish_reason`, `token_ids` and `verdict` (`status`,
    `answer`, `mode`, `reason`). One file of the ledger is in memory; of a problem in two files the first counts.

    Raises:
        UserError: no run with annotated problems is there.
    """
    store = Store(run)
    files = store.ledger_files()
    if not files:
        raise UserError(f"{run}: no annotated problems are here; name a run directory")
    seen: set[str] = set()
    for path in files:
        for row in pq.read_table(path, columns=["problem_id", "solutions"], filesystem=store.filesystem).to_pylist():
            if row["problem_id"] in seen:
                continue
            seen.add(row["problem_id"])
            for solution in row["solutions"]:
                for index, step in enumerate(solution["steps"]):
                    yield {
                        "id": solution["solution_id"],
                        "step": index,
                        "text": step["text"],
                        "draws": step["draws"],
                    }
