"""The card of an export, by which `datasets` finds the annotations among thousands of image files."""

from __future__ import annotations

from collections.abc import Iterable

import yaml

from pipeline.markdown import code, quoted


def export_card(name: str, format: str, files: Iterable[str], rows: int | None = None) -> str:
    """README.md for an export to `format`: `files` are those that hold the rows, below the export's folder."""
    head = {
        "pretty_name": name,
        "license": "other",
        "license_name": "that-of-the-sources",
        "tags": ["process-reward-model", "visual-reasoning", "multimodal"],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": sorted(files)}]}],
    }
    count = "" if rows is None else f"{rows:,} rows, "
    return "\n\n".join(
        [
            f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---",
            f"# {quoted(name)}",
            f"{count}written by `visualprm export` in the format {code(format)}. Images lie beside them as files, under the "
            "names that the rows give." if format != "parquet" else f"{count}written by `visualprm export`.",
            "## Licence\n\nQuestions and images are under the licences of their sources.",
        ]
    ) + "\n"  # fmt: skip
