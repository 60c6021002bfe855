"""How often the thinking of a policy was closed by the prompt file's text (`sampling.max_thinking_tokens`)."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.config import RunConfig
from pipeline.store import Store
from stages.annotate.sample import Template

_SOLUTION = "solutions.list.element."
_COLUMNS = ["problem_id", _SOLUTION + "text", _SOLUTION + "steps.list.element.draws.list.element.text"]


def closed_thinking(store: Store, config: RunConfig) -> dict[str, Any] | None:
    """Of a run's solutions and continuations how many were closed; null where none could be.

    They are known by the closing text. Of a problem in two files of the ledger the first counts.
    """
    limit = config.sampling.max_thinking_tokens
    if limit is None:
        return None
    texts = [
        Template(text).closing for key, text in store.read_json("ledger.json").items() if key.startswith("prompt text")
    ]
    wanted = [text for text in texts if text is not None]
    found = {"limit": limit, "solutions": 0, "of_solutions": 0, "draws": 0, "of_draws": 0}
    seen: set[str] = set()
    for path in store.ledger_files():
        with pq.ParquetFile(path, filesystem=store.filesystem) as file:
            table = file.read(columns=_COLUMNS)
        keep = [not (key in seen or seen.add(key)) for key in table["problem_id"].to_pylist()]  # type: ignore[func-returns-value]
        solutions = table.filter(pa.array(keep, pa.bool_()))["solutions"].combine_chunks().flatten()
        draws = solutions.field("steps").flatten().field("draws").flatten()
        for name, answers in (("solutions", solutions), ("draws", draws)):
            found[name] += _holding(answers.field("text"), wanted)
            found[f"of_{name}"] += len(answers)
    return found


def _holding(texts: pa.Array, wanted: list[str]) -> int:
    """How many of the texts hold one of those that are wanted."""
    holds = [pc.match_substring(texts, text) for text in wanted]
    return sum(any(row) for row in zip(*(each.to_pylist() for each in holds), strict=True)) if holds else 0
