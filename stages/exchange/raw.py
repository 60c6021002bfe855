"""VisualPRM400K-v1.1-Raw: one record a response, `steps_with_score` with k, n and k / n of every step.

The reference stops early by writing 0.0, 0, 0 for every step after one that no continuation came right from.
Those steps were never measured: here their score is null and their origin `not_sampled`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pipeline.errors import RowError
from stages.exchange.conversations import prompt_of
from stages.exchange.format import ExportOptions, Format, ImportOptions, Line, Read, Reader, Row, Writer
from stages.exchange.names import file_name, file_stem
from stages.exchange.values import get
from stages.label_rules import label_of
from stages.publish.kept import Kept, restore

_MOST = 2**31 - 1


def read(record: Mapping[str, Any], threshold: float) -> dict[str, Any]:
    """The published columns of a record, but for those that name it and its images.

    Raises:
        RowError: a field is missing or of a wrong type, or counts and score contradict each other.
    """
    steps = [_read_step(step, threshold) for step in get(record, "steps_with_score", list)]
    if not steps:
        raise RowError("no_steps", "steps_with_score is empty")
    prompt = get(record, "question", str)
    draws = record.get("num_mc_sequences")
    return {
        "question": get(record, "question_orig", str) if "question_orig" in record else prompt,
        "prompt": prompt,
        "answer": _text(record.get("answer")),
        "response": get(record, "response", str),
        "steps_with_score": steps,
        "num_mc_sequences": None if draws is None else _count(draws, "num_mc_sequences"),
    }


def write(row: Mapping[str, Any], image: Any, early_stop: bool = False, lenient: bool = False) -> dict[str, Any]:
    """The record of a published row, `image` being its path or paths.

    Of a solution whose drawing stopped at its first step with score 0, every later step is written as 0 of 0, as the
    reference does: also the last one, though the solution's own answer, which costs no draw, may be right. One of
    which no later step but the last was sampled is such a solution, and with `early_stop` every one is. Unless
    `lenient`, no step up to the zero may lack its score: the 0 would be a measurement that nobody made.

    Raises:
        RowError: `unmeasured_step`.
    """
    given = row["steps_with_score"]
    zero = next((index for index, step in enumerate(given) if step["score"] == 0), len(given))
    later = given[zero + 1 : -1]
    stopped = early_stop or (bool(later) and all(map(_is_left_out, later)))
    steps: list[dict[str, Any]] = []
    for index, step in enumerate(given):
        if (stopped and index > zero) or ((lenient or index > zero) and _is_left_out(step)):
            steps.append({"step": step["step"], "score": 0.0, "num_mc_correct": 0, "num_mc_total": 0})
        elif step["score"] is None:
            raise RowError("unmeasured_step", f"step {index + 1} has no score, which this format can't express")
        else:
            correct, total = step["num_mc_correct"], step["num_mc_total"]
            steps.append(
                {"step": step["step"], "score": step["score"], "num_mc_correct": correct, "num_mc_total": total}
            )
    return {
        "image": image,
        "question": row["prompt"],
        "answer": row["answer"],
        "response": row["response"],
        "steps_with_score": steps,
        "num_mc_sequences": row.get("num_mc_sequences"),
        "question_orig": row["question"],
    }


def _is_left_out(step: Mapping[str, Any]) -> bool:
    return step["score"] is None and step["origin"] in ("not_sampled", "context")


def _read_step(step: Any, threshold: float) -> dict[str, Any]:
    text, score = get(step, "step", str), step.get("score")
    if type(score) not in (int, float) or not 0 <= score <= 1:
        raise RowError("bad_score", f"{score!r} is not in [0, 1]")
    correct, total = step.get("num_mc_correct"), step.get("num_mc_total")
    counted = type(correct) is int and type(total) is int and 0 < total <= _MOST and 0 <= correct <= total
    if counted and score == correct / total:
        # As nearly all are.
        return _step(text, float(score), correct, total, label_of(score, "measured", threshold), "measured")
    if correct is not None:
        _count(correct, "num_mc_correct")
    if total is not None:
        _count(total, "num_mc_total")
    if total == 0:
        if score or correct:
            raise RowError("bad_counts", f"{correct} of 0 correct, score {score}")
        return _step(text, None, None, None, None, "not_sampled")
    if correct is not None and total is not None:
        if not math.isclose(score, correct / total, abs_tol=1e-6):
            raise RowError("bad_counts", f"{correct} of {total} correct, but score {score}")
    elif correct is not None or total is not None:
        raise RowError("bad_counts", "only one of num_mc_correct and num_mc_total is there")
    return _step(text, float(score), correct, total, label_of(score, "measured", threshold), "measured")


def _step(
    text: str, score: float | None, correct: int | None, total: int | None, label: str | None, origin: str
) -> dict[str, Any]:
    return {
        "step": text,
        "score": score,
        "num_mc_correct": correct,
        "num_mc_total": total,
        "label": label,
        "origin": origin,
    }


def _count(value: Any, key: str) -> int:
    # Not isinstance: true is no count.
    if type(value) is not int or not 0 <= value <= _MOST:
        raise RowError("bad_counts", f"{key} is {value!r}, not a count")
    return value


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)


def _read(record: Mapping[str, Any], options: ImportOptions) -> Read:
    columns = read(record, options.threshold)
    return Read(columns, write(columns, record.get("image"), lenient=True))


def _line(row: Row, kept: Kept | None, image: Any, options: ExportOptions) -> Line:
    if kept is None or kept.format != "raw":
        record = write({**row, "prompt": prompt_of(row, kept)}, image, options.early_stop)
        return Line(f"annotations/{file_stem(row['source'])}.jsonl", record, (0,))
    record = restore(write(row, image, lenient=True), kept)
    return Line(f"annotations/{'/'.join(map(file_name, kept.file.split('/')))}", record, (kept.row,))


FORMAT = Format(
    reader=Reader(
        read=_read,
        holds="steps_with_score",
        released="`steps_with_score` records (VisualPRM400K-v1.1-Raw)",
        scored=True,
    ),
    writer=Writer(
        line=_line,
        # A raw path begins with its dataset's name, which is no folder.
        image_file=lambda name: f"images/{name.partition('/')[2] or name}",
        keeps_names=True,
        own_name=lambda dataset, name: f"{dataset}/{name}",
    ),
)
