"""The demo's own process bench: solutions whose every step the oracle labels, in VisualProcessBench's layout.

    visualprm dataset configs/demo.yaml name=demo-test sources.0.kwargs.split=test
    python -m demo.checks.process_bench data/demo-test --run runs/demo-test --out data/demo-bench
    visualprm evaluate data/demo-bench/mc_scores.jsonl data/demo-bench --threshold 0

A step is right if nothing is wrong so far that the answer depends on (`prefix_ok`), which is what a value label means; with
`--about step` if it follows from what stands before it (`step_ok`), which is what people are asked. annotation.json says which.
The solutions come from a published dataset with the run that made it, or from a pool of `visualprm bon sample`. Of a
dataset, the Monte Carlo scores of the same steps are written too, as mc_scores.jsonl, which the evaluator takes like
any critic's; how their labels agree with the oracle, by what went wrong first, is printed and kept in mc_labels.md.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pyarrow.dataset as ds
import pyarrow.parquet as pq

from demo.checks.report import OUTCOMES, Confusion, Judged, problem_names
from demo.oracle import judge_steps
from pipeline.command_line.ending import one_line_errors
from pipeline.markdown import compact_table
from pipeline.records import problem_of
from pipeline.store import Store
from stages.evaluate.about import NOTE, About

COLUMNS = ["id", "source", "images", "question", "answer", "steps_with_score", "policy_model"]
NO_ERROR = "none"
SCORES, LABELS = "mc_scores.jsonl", "mc_labels.md"


@dataclass(frozen=True, slots=True)
class DemoSolution:
    """A solution of a problem of the demo. `name` is the benchmark's id; `scores` are Monte Carlo scores in [0, 1]."""

    id: str
    name: str
    source: str
    question: str
    answer: str
    image: bytes
    policy: str
    steps: tuple[str, ...]
    scores: tuple[float | None, ...]


def published(folder: str | Path, names: Mapping[str, str]) -> Iterator[DemoSolution]:
    """The solutions of a published dataset; `names` maps a problem's id to the benchmark's own."""
    shards = sorted(Path(folder).glob("*.parquet"))
    for batch in ds.dataset(shards).to_batches(columns=COLUMNS, batch_size=256):
        for row in batch.to_pylist():
            yield DemoSolution(
                row["id"],
                names[problem_of(row["id"])],
                row["source"],
                row["question"],
                row["answer"],
                row["images"][0]["bytes"],
                row["policy_model"],
                tuple(step["step"] for step in row["steps_with_score"]),
                tuple(step["score"] for step in row["steps_with_score"]),
            )


def pooled(folder: str | Path, limit: int) -> Iterator[DemoSolution]:
    """The first `limit` candidates of each problem of a pool; they have no Monte Carlo scores."""
    place = Path(folder)
    policy = json.loads((place / "pool.json").read_text())["policy_model"]
    columns = ["problem_id", "row_id", "source", "question", "answer", "images"]
    rows = pq.read_table(place / "problems.parquet", columns=columns).to_pylist()
    problems = {row["problem_id"]: row for row in rows}
    candidates = pq.read_table(
        place / "candidates.parquet",
        columns=["problem_id", "candidate_id", "steps"],
        filters=[("candidate", "<", limit)],
    )
    for row in candidates.to_pylist():
        problem = problems[row["problem_id"]]
        yield DemoSolution(
            row["candidate_id"],
            problem["row_id"],
            problem["source"],
            problem["question"],
            problem["answer"],
            problem["images"][0]["data"],
            policy,
            tuple(row["steps"]),
            (None,) * len(row["steps"]),
        )


def write_bench(
    candidates: Iterable[DemoSolution], out: Path, about: About = "prefix"
) -> list[tuple[str, list[Judged]]]:
    """Writes the bench and returns, for each solution, what went wrong first and its steps that have a score."""
    (out / "images").mkdir(parents=True, exist_ok=True)
    # Of other solutions, should a bench have been here.
    for name in (SCORES, LABELS):
        (out / name).unlink(missing_ok=True)
    (out / NOTE).write_text(json.dumps({"labels_are_about": about}) + "\n", encoding="utf-8")
    judged: list[tuple[str, list[Judged]]] = []
    lines: list[str] = []
    with (out / "test.jsonl").open("w", encoding="utf-8") as rows:
        for one in candidates:
            truths = judge_steps(one.name, one.steps)
            right = [truth.prefix_ok if about == "prefix" else truth.step_ok for truth in truths]
            image = f"images/{one.name}.png"
            (out / image).write_bytes(one.image)
            row = {
                "id": one.id,
                "image": [image],
                "question": one.question,
                "answer": one.answer,
                "response": {
                    "steps": list(one.steps),
                    "process_correctness": [1 if each else -1 for each in right],
                },
                "policy_model": one.policy,
                "data_source": one.source,
            }
            rows.write(json.dumps(row, ensure_ascii=False) + "\n")
            lines.append(json.dumps({"id": one.id, "scores": one.scores}) + "\n")
            first = next((truth.kind for truth, ok in zip(truths, right, strict=True) if not ok), NO_ERROR)
            steps = [
                Judged(one.name.split("-")[0], score, ok, truth.kind)
                for score, ok, truth in zip(one.scores, right, truths, strict=True)
                if score is not None
            ]
            judged.append((first, steps))
    if any(steps for _, steps in judged):
        (out / SCORES).write_text("".join(lines), encoding="utf-8")
    return judged


def error_table(judged: Sequence[tuple[str, list[Judged]]], threshold: float) -> str:
    """Markdown: the labels "right if mc > threshold" against the oracle, by the kind of the first error."""
    groups: dict[str, list[list[Judged]]] = defaultdict(list)
    for first, steps in judged:
        groups[first].append(steps)
    rows = []
    for name, solutions in [*sorted(groups.items()), ("all", [steps for _, steps in judged])]:
        counts = Confusion.at([step for steps in solutions for step in steps], threshold)
        wrong = counts.wrong_kept + counts.wrong_found
        found = f"{100 * counts.wrong_found / wrong:.1f} %" if wrong else "–"
        rows.append([name, str(len(solutions)), *map(str, counts.counts), found])
    return compact_table(["first error", "solutions", *OUTCOMES, "wrong found"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("solutions", type=Path, help="a published dataset or a pool of candidates")
    parser.add_argument("--run", help="the run directory of a dataset")
    parser.add_argument("--out", type=Path, required=True, help="the bench's folder")
    parser.add_argument("--about", choices=get_args(About), default="prefix", help="what labels say (%(default)s)")
    parser.add_argument("--candidates", type=int, default=4, help="of a pool: the first ones of each problem (4)")
    parser.add_argument("--threshold", type=float, default=0.0, help="of the Monte Carlo labels (0)")
    options = parser.parse_args()
    if (options.solutions / "pool.json").is_file():
        judged = write_bench(pooled(options.solutions, options.candidates), options.out, options.about)
    elif options.run:
        names = problem_names(Store(options.run))
        judged = write_bench(published(options.solutions, names), options.out, options.about)
    else:
        parser.error(f"{options.solutions} is no pool: for a dataset, give the run that made it by --run")
    print(f"{len(judged)} solutions in {options.out}")
    if any(steps for _, steps in judged):
        table = error_table(judged, options.threshold)
        (options.out / LABELS).write_text(table + "\n", encoding="utf-8")
        print(f"\nMonte Carlo labels against the oracle, by first error:\n\n{table}")


if __name__ == "__main__":
    with one_line_errors("process_bench"):
        main()
