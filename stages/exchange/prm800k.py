"""PRM800K's shape (arXiv 2305.20050): a question, and for every step one completion with a rating.

Ratings are 1 and -1; a step without a label has null, as an unrated one has there. `score`, `num_mc_correct` and
`num_mc_total` are added to each completion, `images` to the question.

Read is the solution that the labeller went along: of every step the completion that was chosen or written by a person,
and at the end the wrong one that ended it. Neutral (0) is `+`: such a step is not incorrect, but makes no progress (the
dataset's README). The paper's model learns three labels, and takes neutral for positive when it scores (appendix F.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import RowError
from stages.exchange.conversations import labelled
from stages.exchange.format import ExportOptions, Format, ImportOptions, Line, Read, Reader, Row, Writer, listed
from stages.exchange.names import file_stem
from stages.exchange.values import get
from stages.label import published_label
from stages.publish.kept import Kept

RATINGS = {"+": 1, "-": -1, None: None}
LABELS = {1: "+", 0: "+", -1: "-", None: None}


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


def read(record: Mapping[str, Any]) -> tuple[str, str | None, list[tuple[str, str | None]]]:
    """The problem, its answer, and the steps with their labels; null for a step that nobody rated.

    Raises:
        RowError: the problem was called bad, or there is no step with a text.
    """
    question, label = get(record, "question", dict), get(record, "label", dict)
    if label.get("finish_reason") == "bad_problem":
        raise RowError("bad_problem", "the labeller called the problem bad")
    turns: list[tuple[str, str | None]] = []
    for step in get(label, "steps", list):
        found = _taken(step)
        if found is None:
            break
        text, rating = get(found, "text", str), found.get("rating")
        if rating not in LABELS or isinstance(rating, (bool, float)):
            raise RowError("bad_rating", f"{rating!r} is none of 1, 0, -1 and null")
        if not text.strip():
            raise RowError("empty_step", f"step {len(turns) + 1} is empty")
        turns.append((text, LABELS[rating]))
    if not turns:
        raise RowError("no_steps", "no step has a completion")
    answer = question.get("ground_truth_answer")
    return get(question, "problem", str), None if answer is None else str(answer), turns


def _taken(step: Any) -> Mapping[str, Any] | None:
    """The completion that the solution went on with, or the wrong one in which it ended; null where there is none."""
    completions = get(step, "completions", list) if step.get("completions") is not None else []
    if (chosen := step.get("chosen_completion")) is not None:
        if not isinstance(chosen, int) or not 0 <= chosen < len(completions):
            raise RowError("odd_steps", f"chosen_completion is {chosen!r} of {len(completions)}")
        return get({"completion": completions[chosen]}, "completion", dict)
    human = step.get("human_completion")
    if isinstance(human, Mapping):
        return {**human, "rating": 1} if human.get("rating") is None else human
    if isinstance(human, str):
        return {"text": human, "rating": 1}
    return next((each for each in completions if isinstance(each, dict) and each.get("rating") == -1), None)


def _read(record: Mapping[str, Any], _options: ImportOptions) -> Read:
    problem, answer, turns = read(record)
    return Read(labelled(problem, answer, turns), {}, images=record["question"].get("images"))


def _step(step: Mapping[str, Any], label: str | None) -> dict[str, Any]:
    counts = {key: step[key] for key in ("score", "num_mc_correct", "num_mc_total")}
    completion = {"text": step["step"], "rating": RATINGS[label], "flagged": None, **counts}
    return {"completions": [completion], "human_completion": None, "chosen_completion": 0}


def _line(row: Row, _kept: Kept | None, image: Any, options: ExportOptions) -> Line:
    return Line(f"{file_stem(row['source'])}.jsonl", write(row, listed(image), options.threshold))


FORMAT = Format(
    reader=Reader(
        read=_read,
        holds="steps with completions and ratings",
        released="`question` and `label` with rated completions (PRM800K), labelled by people",
    ),
    writer=Writer(line=_line, heeds=frozenset({"--threshold"})),
)
