"""PRM800K's shape (arXiv 2305.20050): a question, and for every step one completion with a rating.

Ratings are 1 and -1; a step without a label has null, as an unrated one has there. `score`, `num_mc_correct` and
`num_mc_total` are added to each completion, `images` to the question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stages.exchange.format import ExportOptions, Format, Line, Row, Writer, listed
from stages.exchange.names import file_stem
from stages.label import published_label
from stages.publish.kept import Kept

RATINGS = {"+": 1, "-": -1, None: None}


def write(row: Mapping[str, Any], images: Sequence[str], threshold: float | None = None) -> dict[str, Any]:
    """One record with every step of the row, also those after a wrong one."""
    steps = row["steps_with_score"]
    labels = [published_label(step, threshold) for step in steps]
    return {
        "labeler": "monte_carlo",
        "timestamp": None,
        "generation": None,
        "is_quality_control_question": False,
        "is_initial_screening_question": False,
        "question": {
            "problem": row["question"],
            "ground_truth_solution": None,
            "ground_truth_answer": row["answer"],
            "pre_generated_steps": [step["step"] for step in steps],
            "pre_generated_answer": row.get("response_answer"),
            "pre_generated_verifier_score": None,
            "images": list(images),
        },
        "label": {
            "steps": [_step(step, label) for step, label in zip(steps, labels, strict=True)],
            "total_time": None,
            "finish_reason": "found_error" if "-" in labels else "solution",
        },
    }


def _step(step: Mapping[str, Any], label: str | None) -> dict[str, Any]:
    counts = {key: step[key] for key in ("score", "num_mc_correct", "num_mc_total")}
    completion = {"text": step["step"], "rating": RATINGS[label], "flagged": None, **counts}
    return {"completions": [completion], "human_completion": None, "chosen_completion": 0}


def _line(row: Row, _kept: Kept | None, image: Any, options: ExportOptions) -> Line:
    return Line(f"{file_stem(row['source'])}.jsonl", write(row, listed(image), options.threshold))


FORMAT = Format(writer=Writer(line=_line, heeds=frozenset({"--threshold"})))
