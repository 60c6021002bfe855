"""Formats of people's labels and of trainers, in and out, on literal records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RowError, UserError
from stages.exchange import math_shepherd, prm800k, stepwise
from stages.exchange.format import ImportOptions
from stages.exchange.importing import import_corpus
from stages.publish.reading import read_rows

SHEPHERD = {
    "input": "Two and two? Step 1: 2 + 2 = 4. ки\nStep 2: So 5. ки\nStep 3: The answer is: 5 ки",
    "label": "Two and two? Step 1: 2 + 2 = 4. +\nStep 2: So 5. -\nStep 3: The answer is: 5 -",
    "task": "GSM8K",
}
TURNS = [("Step 1: 2 + 2 = 4.", "+"), ("Step 2: So 5.", "-"), ("Step 3: The answer is: 5", "-")]


def test_math_shepherd_is_read_as_it_is_written() -> None:
    assert math_shepherd.read(SHEPHERD) == ("Two and two?", TURNS)
    written = math_shepherd.write({"question": "Two and two?", "source": "GSM8K"}, TURNS, [])
    assert written == {**SHEPHERD, "labels": ["+", "-", "-"], "images": []}


@given(
    st.lists(st.tuples(st.text("ab +-", min_size=1).filter(str.strip), st.sampled_from("+-")), min_size=1, max_size=4)
)
def test_what_math_shepherd_writes_it_reads(turns: list[tuple[str, str]]) -> None:
    written = math_shepherd.write({"question": "What is + - ?", "source": "s"}, turns, [])
    question, read = math_shepherd.read(written)
    assert question == "What is + - ?"
    expected = [(f"Step {index}: {step}".strip(), label) for index, (step, label) in enumerate(turns, 1)]
    assert read == expected


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"input": "Two? Step 1: 4."}, "odd_steps"),
        ({"input": "Two? 4. ки", "label": "Two? 4. +"}, "odd_steps"),
        ({"label": SHEPHERD["label"].replace("So 5", "So 6")}, "odd_labels"),
        ({"label": SHEPHERD["label"].replace("5 -", "5 0")}, "not_a_label"),
        ({"label": SHEPHERD["label"] + " more"}, "odd_labels"),
        ({"input": None}, "wrong_type"),
        ({"input": "Q Step 1: ки", "label": "Q Step 1: +"}, "empty_step"),
    ],
)
def test_a_math_shepherd_record_that_does_not_fit_is_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(RowError) as refused:
        math_shepherd.read({**SHEPHERD, **change})
    assert refused.value.reason == reason


def rated(*steps: Any, finish: str = "solution") -> dict[str, Any]:
    return {
        "labeler": "x",
        "question": {"problem": "Two and two?", "ground_truth_answer": "4"},
        "label": {"steps": list(steps), "finish_reason": finish},
    }


def step(*completions: tuple[str, int | None], chosen: int | None = None, human: Any = None) -> dict[str, Any]:
    return {
        "completions": [{"text": text, "rating": rating} for text, rating in completions],
        "chosen_completion": chosen,
        "human_completion": human,
    }


def test_prm800k_gives_the_solution_that_the_labeller_went_along() -> None:
    record = rated(
        step(("Bad.", -1), ("2 + 2 = 4.", 1), chosen=1),
        step(("Hm.", 0), chosen=0),
        step(("Wrong.", -1), human={"text": "By hand.", "rating": None}),
        step(("Fine?", None), chosen=0),
        step(("So 5.", -1), ("So 6.", -1)),
        finish="found_error",
    )
    assert prm800k.read(record) == (
        "Two and two?", "4",
        [("2 + 2 = 4.", "+"), ("Hm.", "+"), ("By hand.", "+"), ("Fine?", None), ("So 5.", "-")],
    )  # fmt: skip
    # Nothing was chosen and nothing was wrong: the labeller gave up there.
    assert len(prm800k.read(rated(step(("a", 1), chosen=0), step(("b", 1))))[2]) == 1


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (rated(step(("a", 1), chosen=0), finish="bad_problem"), "bad_problem"),
        (rated(step(("a", 2), chosen=0)), "bad_rating"),
        (rated(step(("a", True), chosen=0)), "bad_rating"),
        (rated(step(("a", 1), chosen=1)), "odd_steps"),
        (rated(step((" ", 1), chosen=0)), "empty_step"),
        (rated(), "no_steps"),
    ],
)
def test_a_prm800k_record_that_says_nothing_is_refused(record: dict[str, Any], reason: str) -> None:
    with pytest.raises(RowError) as refused:
        prm800k.read(record)
    assert refused.value.reason == reason


def test_what_prm800k_writes_it_reads() -> None:
    steps = [{"step": text, "score": None, "num_mc_correct": None, "num_mc_total": None, "label": label, "origin": "measured"}
             for text, label in (("a", "+"), ("b", None), ("c", "-"), ("d", "-"))]  # fmt: skip
    row = {"question": "Q", "answer": "4", "response_answer": None, "steps_with_score": steps}
    assert prm800k.read(prm800k.write(row, [])) == ("Q", "4", [("a", "+"), ("b", None), ("c", "-"), ("d", "-")])


def test_stepwise_has_steps_and_whether_each_is_right() -> None:
    assert stepwise.write({"prompt": "Q"}, TURNS[:2], ["images/a.png"]) == {
        "prompt": "Q",
        "completions": ["Step 1: 2 + 2 = 4.", "Step 2: So 5."],
        "labels": [True, False],
        "images": ["images/a.png"],
    }


def test_both_become_datasets(tmp_path: Path) -> None:
    (tmp_path / "gsm8k.jsonl").write_text(json.dumps(SHEPHERD) + "\n")
    (tmp_path / "math.jsonl").write_text(json.dumps(rated(step(("2 + 2 = 4.", 1), chosen=0))) + "\n")
    import_corpus("math-shepherd", str(tmp_path / "gsm8k.jsonl"), str(tmp_path / "a"), ImportOptions())
    (row,) = read_rows(str(tmp_path / "a"))
    assert (row["source"], row["question"], row["images"]) == ("gsm8k", "Two and two?", [])
    assert [(each["step"], each["label"]) for each in row["steps_with_score"]] == TURNS
    assert row["steps_with_score"][0]["score"] is None
    import_corpus("prm800k", str(tmp_path / "math.jsonl"), str(tmp_path / "b"), ImportOptions())
    (row,) = read_rows(str(tmp_path / "b"))
    assert (row["answer"], row["steps_with_score"][0]["label"]) == ("4", "+")
    with pytest.raises(UserError, match=r"--threshold 0\.5: math-shepherd have labels"):
        import_corpus("math-shepherd", str(tmp_path / "gsm8k.jsonl"), str(tmp_path / "c"), ImportOptions(threshold=0.5))
