"""What the tests of the pages look at: a run with draws, the dataset that was published from it, a bench, scores."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from pipeline.config import LabelConfig, PublishConfig
from pipeline.records import AnnotatedProblem, Draw, Image, Problem, Solution, Step, Verdict, ledger_row, problem_row
from pipeline.schemas import LEDGER_SCHEMA, PROBLEM_SCHEMA, PUBLISHED_SCHEMA, table
from pipeline.store import Store
from stages.label import label_columns
from stages.publish.entries import Run
from stages.publish.rows import publish
from tests.shards import picture

LABEL = LabelConfig()


def draw(answer: str, status: str = "correct", text: str | None = None) -> Draw:
    verdict = Verdict(status, answer, "number", f"{answer} against 56")  # type: ignore[arg-type]
    return Draw((1, 2, 3), text or f"So it is {answer}.", "stop", 0, verdict)


def draws(right: int, wrong: int) -> tuple[Draw, ...]:
    """`right` × 56, `wrong` × 54; all begin in the same way."""
    return (
        *(draw("56", text=f"Seven rows of eight make 56. Number {n // 3}.") for n in range(right)),
        *(draw("54", "incorrect", "Seven rows of eight make 54.") for _ in range(wrong)),
    )


def steps(*counts: tuple[int, int] | None) -> tuple[Step, ...]:
    """A step for each pair of right and wrong draws, and a last one without draws."""
    made = [
        Step(
            f"Step {number} has $\\frac{{{number}}}{{8}}$.",
            0,
            1,
            True,
            draws(*pair) if pair else (),
            origin="measured" if pair else "not_sampled",
        )
        for number, pair in enumerate(counts, 1)
    ]
    return (*made, Step("Final answer", 0, 1, True, origin="own_answer"))


def solution(problem: str, number: int, status: str, made: tuple[Step, ...], mode: str = "number") -> Solution:
    answer = {"correct": "56", "incorrect": "54"}.get(status)
    verdict = Verdict(status, answer, mode, "equal" if status == "correct" else None)  # type: ignore[arg-type]
    text = "\n\n".join(step.text for step in made)
    return Solution(f"{problem}/pol/s{number}", text, (1,) * 9, "stop", number, verdict, made)


def problem(number: int, source: str = "", question: str = "") -> Problem:
    image = Image.of(picture(number))
    text = question or f"How many dots are in picture {number}?"
    source = source or ("bars" if number % 2 else "grid")
    key = Problem.make_id(source, text, "56", [image.sha256])
    return Problem(key, source, f"q{number}", text, "56", (image,), (), ("number", "math"), 1, "prompts/demo_v1.txt")


def annotated(number: int, **given: Any) -> AnnotatedProblem:
    """Four solutions: all right; right, then wrong; right by a wrong way with few successes; wrong with right steps."""
    one = given.get("problem") or problem(number)
    key = one.problem_id
    solutions = (
        solution(key, 0, "correct", steps((16, 0), (12, 4))),
        solution(key, 1, "incorrect", steps((12, 4), (0, 16))),
        solution(key, 2, "correct", steps((1, 15), (0, 16), None), mode="math"),
        solution(key, 3, "incorrect", steps((8, 8), (4, 12))),
    )
    return AnnotatedProblem(one, solutions, "demo/policy", "pol", "Solve it.", "sha", "fixed num_draws=16")


def write_run(folder: Path, items: list[AnnotatedProblem], each: int = 4) -> Store:
    """A run's directory as far as pages read it."""
    store = Store(str(folder))
    for name in ("problems", "annotations", "checkpoint"):
        (folder / name).mkdir(parents=True)
    ordered = sorted((problem_row(one.problem) for one in items), key=lambda row: row["problem_id"])
    pq.write_table(table(ordered, PROBLEM_SCHEMA), folder / "problems/p.parquet")
    for start in range(0, len(items), each):
        block = items[start : start + each]
        pq.write_table(table(map(ledger_row, block), LEDGER_SCHEMA), folder / f"annotations/{start}-0.parquet")
        done = table(({"problem_id": one.problem.problem_id} for one in block), PROBLEM_SCHEMA)
        pq.write_table(done, folder / f"checkpoint/{start}.parquet")
    (folder / "ledger.json").write_text("{}")
    (folder / "problems.json").write_text(json.dumps({"rejected": {}}))
    (folder / "config.yaml").write_text(yaml.safe_dump({"label": LABEL.model_dump()}))
    return store


def publish_run(store: Store, out: Path) -> None:
    run = Run(store.problem_files(), store.ledger_files(), 16, store.filesystem)
    publish([run], str(out), store.filesystem, PublishConfig(), partial(label_columns, config=LABEL))


def write_dataset(folder: Path, rows: list[dict[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(table(rows, PUBLISHED_SCHEMA), folder / "train-00000-of-00001.parquet", row_group_size=3)


def write_bench(folder: Path, solutions: int = 6) -> None:
    """VisualProcessBench's layout: two solutions of each question, the second wrong from its second step on."""
    (folder / "images").mkdir(parents=True)
    with (folder / "test.jsonl").open("w") as file:
        for number in range(solutions):
            (folder / f"images/{number // 2}.png").write_bytes(picture(number // 2))
            labels = [1, -1 if number % 2 else 1, 0]
            row = {
                "id": f"b{number}",
                "image": [f"images/{number // 2}.png"],
                "question": f"Question {number // 2}",
                "response": {"steps": ["First.", "Second.", "Third."], "process_correctness": labels},
                "policy_model": "demo/policy",
                "data_source": "grid",
            }
            file.write(json.dumps(row) + "\n")
