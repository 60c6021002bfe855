"""Math-Shepherd's shape (arXiv 2312.08935): `input` marks the end of each step with ки, `label` with + or -.

`label` is `input` with `+` or `-` in place of every mark; nothing else differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import RowError
from stages.exchange.format import ExportOptions, Format, Line, Row, Writer, listed
from stages.exchange.labels import chosen_turns
from stages.exchange.names import file_stem
from stages.publish.kept import Kept

MARK = "ки"


def write(row: Mapping[str, Any], turns: Sequence[tuple[str, str]], images: Sequence[str]) -> dict[str, Any]:
    """One record; steps are headed `Step 1: ` and so on, by which readers find where the question ends.

    Raises:
        RowError: `holds_mark`, if the question or a step holds the mark.
    """
    if MARK in row["question"] or any(MARK in step for step, _ in turns):
        raise RowError("holds_mark", f"{MARK!r} is in the text itself")
    steps = [_numbered(index, step) for index, (step, _) in enumerate(turns, 1)]
    labels = [label for _, label in turns]
    return {
        "input": _joined(row["question"], steps, [MARK] * len(steps)),
        "label": _joined(row["question"], steps, labels),
        "task": row["source"],
        "images": list(images),
    }


def _joined(question: str, steps: Sequence[str], ends: Sequence[str]) -> str:
    return f"{question} " + "\n".join(f"{step} {end}" for step, end in zip(steps, ends, strict=True))


def _numbered(index: int, step: str) -> str:
    return step if step.startswith(f"Step {index}: ") else f"Step {index}: {step}"


def _line(row: Row, _kept: Kept | None, image: Any, options: ExportOptions) -> Line:
    record = write(row, chosen_turns(row, options), listed(image))
    return Line(f"{file_stem(row['source'])}.jsonl", record)


FORMAT = Format(writer=Writer(line=_line, heeds=frozenset({"--threshold", "--cut-after-error"})))
