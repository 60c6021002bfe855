"""Math-Shepherd's shape (arXiv 2312.08935): `input` marks the end of each step with ки, `label` with + or -.

`label` is `input` with `+` or `-` in place of every mark; nothing else differs. `labels` is added, the list that
OpenRLHF's loader of process rewards takes beside `input` (`--label_key labels --placeholder_token ки`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import RowError
from stages.exchange.conversations import labelled
from stages.exchange.format import ExportOptions, Format, ImportOptions, Line, Read, Reader, Row, Writer, listed
from stages.exchange.labels import chosen_turns
from stages.exchange.names import file_stem
from stages.exchange.values import get
from stages.publish.kept import Kept

MARK = "ки"
FIRST = " Step 1: "
_NUMBER = re.compile(r"^Step \d+:")


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
        "labels": labels,
        "task": row["source"],
        "images": list(images),
    }


def read(record: Mapping[str, Any]) -> tuple[str, list[tuple[str, str]]]:
    """The question, and the steps with their labels; `Step k: ` stays in front of a step.

    Raises:
        RowError: `input` and `label` don't fit, or no step begins with `Step 1: `.
    """
    text, given = get(record, "input", str), get(record, "label", str)
    *pieces, rest = text.split(MARK)
    if not pieces or rest.strip():
        raise RowError("odd_steps", f"the text doesn't end in {MARK!r}")
    labels, position = [], 0
    for piece in pieces:
        position += len(piece)
        labels.append(given[position : position + 1])
        position += 1
    if wrong := [label for label in labels if label not in ("+", "-")]:
        raise RowError("not_a_label", f"{wrong[0]!r} stands in place of a {MARK!r}")
    if "".join(piece + label for piece, label in zip(pieces, labels, strict=True)) + rest != given:
        raise RowError("odd_labels", "input and label differ in more than labels")
    question, found, first = pieces[0].partition(FIRST)
    if not found or not question.strip():
        raise RowError("odd_steps", f"no question before {FIRST.strip()!r}")
    steps = [step.strip() for step in (FIRST.lstrip() + first, *pieces[1:])]
    for number, step in enumerate(steps, 1):
        if not _NUMBER.sub("", step).strip():
            raise RowError("empty_step", f"step {number} of {len(steps)} is empty")
    return question, list(zip(steps, labels, strict=True))


def _read(record: Mapping[str, Any], _options: ImportOptions) -> Read:
    question, turns = read(record)
    columns = labelled(question, None, turns)
    images = record.get("images")
    rendered = write({"question": question, "source": record.get("task")}, turns, images or [])
    return Read(columns, rendered, images=images)


def _joined(question: str, steps: Sequence[str], ends: Sequence[str]) -> str:
    return f"{question} " + "\n".join(f"{step} {end}" for step, end in zip(steps, ends, strict=True))


def _numbered(index: int, step: str) -> str:
    return step if step.startswith(f"Step {index}: ") else f"Step {index}: {step}"


def _line(row: Row, _kept: Kept | None, image: Any, options: ExportOptions) -> Line:
    record = write(row, chosen_turns(row, options), listed(image))
    return Line(f"{file_stem(row['source'])}.jsonl", record)


FORMAT = Format(
    reader=Reader(
        read=_read,
        holds="steps that end in ки, and + or - in its place",
        released="`input` and `label` (Math-Shepherd), whose counts weren't released",
    ),
    writer=Writer(line=_line, heeds=frozenset({"--threshold", "--cut-after-error"})),
)
