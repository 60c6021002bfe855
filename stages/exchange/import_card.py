"""The card and the statistics of an imported dataset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.markdown import quoted
from stages.publish.card import stats_json, summary_table
from stages.publish.stats import statistics


def documents(
    name: str, released: str, document: Mapping[str, Any], threshold: float, scored: bool
) -> tuple[dict[str, str], str]:
    """The files beside the shards by name, and the table to print.

    `released` says what corpus was imported, and `scored` whether its labels follow from scores, by `threshold`.
    """
    figures = statistics(document)
    total = figures["total"]
    tallies = (total, *figures["sources"].values())
    # What a corpus doesn't tell is null: a share or a count of 0 would be a measurement.
    for each in tallies:
        each["correct_response_share"] = None
    bare = {**figures, "total": {**total, "quarantined": {}}}
    told, page = (summary_table(bare, shown).partition("\n\n")[2] for shown in (str, quoted))
    for each in tallies:
        each |= {"tokens": None, "draws": {}, "responses": {}}
    head = f"{total['problems']:,} problems · {total['solutions']:,} solutions · {total['steps']:,} steps"
    left = [f"{reason} {count:,}" for reason, count in total["quarantined"].items()]
    lines = [f"left out: {', '.join(left)}"] if left else []
    table = "\n\n".join([head, told, *lines])
    parts = [
        "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: train-*.parquet\n---",
        f"# {quoted(name)}",
        f"Imported from {released}. A step with a score is `+` if it is above {threshold:g}; what wasn't measured "
        "or released is null. Rows are in order of `id` (`<problem>/imported/s<index>`); `extra` holds, as JSON, the "
        "file and line that a row comes from and whatever else its record holds, so that `visualprm export` gives the "
        "record back.",
        "\n\n".join([head, page, *lines]),
        "## Licence\n\nThat of the imported corpus and its images.",
    ]
    # Conversations came with labels and no word on how they were made.
    rule = {"threshold": threshold, "missing": None} if scored else None
    return {"README.md": "\n\n".join(parts) + "\n", "stats.json": stats_json({**figures, "label": rule})}, table
