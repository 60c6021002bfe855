"""TRL's stepwise supervision: a prompt, the steps as completions, and whether each is right.

Its `PRMTrainer` and whatever else takes that type of dataset read it. `images` is added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stages.exchange.format import ExportOptions, Format, Line, Row, Writer, listed
from stages.exchange.labels import chosen_turns
from stages.exchange.names import file_stem
from stages.publish.kept import Kept


def write(row: Mapping[str, Any], turns: Sequence[tuple[str, str]], images: Sequence[str]) -> dict[str, Any]:
    """One record. There is no separator in it: the trainer has a setting for one."""
    return {
        "prompt": row["prompt"],
        "completions": [step for step, _ in turns],
        "labels": [label == "+" for _, label in turns],
        "images": list(images),
    }


def _line(row: Row, _kept: Kept | None, image: Any, options: ExportOptions) -> Line:
    return Line(f"{file_stem(row['source'])}.jsonl", write(row, chosen_turns(row, options), listed(image)))


FORMAT = Format(writer=Writer(line=_line, heeds=frozenset({"--threshold", "--cut-after-error"})))
