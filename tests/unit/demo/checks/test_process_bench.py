"""The demo's process bench: the oracle's labels in the released layout, and Monte Carlo scores beside them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from demo.benchmark import problem
from demo.checks.process_bench import DemoSolution, error_table, pooled, write_bench
from demo.reasoning import STEP_SEPARATOR, write
from stages.evaluate.about import stated
from stages.evaluate.bench import read_bench
from stages.evaluate.recorded import read_scores

NAMES = ("bars-1", "shapes-2", "compare-3", "bars-2")


def candidates() -> list[DemoSolution]:
    """Every way of the ideal policy through a few problems, with scores that are right but for the first step."""
    found = []
    for name in NAMES:
        one = problem(name)
        for number, path in enumerate(one.paths):
            steps = write(one.plan, path.beliefs).split(STEP_SEPARATOR)
            keys = [node.key for node in one.plan.nodes]
            first = keys.index(path.mistakes[0]) if path.mistakes else len(steps)
            scores = tuple(float(k < first) if k else 0.0 for k in range(len(steps)))
            found.append(
                DemoSolution(f"{name}/s{number}", name, f"demo/{one.family}", one.question, one.answer, one.image(), "demo",
                          tuple(steps), scores)
            )  # fmt: skip
    return found


def test_the_bench_is_read_back_with_the_oracles_labels(tmp_path: Path) -> None:
    given = candidates()
    judged = write_bench(given, tmp_path)
    bench = read_bench(tmp_path)
    assert not bench.rejected
    assert [sample.sample_id for sample in bench.samples] == [one.id for one in given]
    for sample, one in zip(bench.samples, given, strict=True):
        assert set(sample.labels) <= {1, -1}
        assert bench.item(sample).images == (one.image,)
        # All scores but the first step's say the truth.
        assert [label == 1 for label in sample.labels[1:]] == [score == 1 for score in one.scores[1:]]
    assert len(list((tmp_path / "images").iterdir())) == len(NAMES)
    assert read_scores(tmp_path / "mc_scores.jsonl", bench.samples) == [list(one.scores) for one in given]
    assert [first for first, _ in judged].count("none") == len(NAMES)


def test_a_pool_gives_the_first_candidates_of_each_problem_without_scores(tmp_path: Path) -> None:
    pool, given = tmp_path / "pool", candidates()
    pool.mkdir()
    problems = [
        {"problem_id": f"id of {name}", "row_id": name, "source": "demo", "question": "?", "answer": "4",
         "images": [{"sha256": "", "data": problem(name).image()}]} for name in NAMES
    ]  # fmt: skip
    numbers = {name: iter(range(1000)) for name in NAMES}
    rows = [
        {"problem_id": f"id of {one.name}", "candidate": next(numbers[one.name]), "candidate_id": one.id,
         "steps": list(one.steps)} for one in given
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(problems), pool / "problems.parquet")
    pq.write_table(pa.Table.from_pylist(rows), pool / "candidates.parquet")
    (pool / "pool.json").write_text('{"policy_model": "demo/policy"}')
    judged = write_bench(pooled(pool, 2), tmp_path / "bench")
    assert [steps for _, steps in judged] == [[]] * len(judged)
    assert not (tmp_path / "bench" / "mc_scores.jsonl").exists()
    bench = read_bench(tmp_path / "bench")
    assert len(bench.samples) == sum(min(2, len(problem(name).paths)) for name in NAMES)
    write_bench(given, tmp_path / "all")
    labels = {sample.sample_id: sample.labels for sample in read_bench(tmp_path / "all").samples}
    assert all(labels[sample.sample_id] == sample.labels for sample in bench.samples)
    assert {sample.policy for sample in bench.samples} == {"demo/policy"}


def test_the_same_solutions_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_bench(candidates(), tmp_path / name)
    for file in (tmp_path / "one").rglob("*.*"):
        assert file.read_bytes() == (tmp_path / "two" / file.relative_to(tmp_path / "one")).read_bytes()


def test_the_table_counts_every_scored_step_once_and_names_what_went_wrong_first(tmp_path: Path) -> None:
    given = candidates()
    lines = error_table(write_bench(given, tmp_path), 0.0).splitlines()
    rows = {cells[1].strip(): [int(cell) for cell in cells[2:7]] for line in lines[2:] if (cells := line.split("|"))}
    assert set(rows) >= {"none", "reading", "all"}
    assert [sum(row[k] for name, row in rows.items() if name != "all") for k in range(5)] == rows["all"]
    assert sum(rows["all"][1:]) == sum(len(one.steps) for one in given)
    # The first step always scores 0: lost where it is right; every other label is right.
    assert rows["all"][3] == 0
    assert rows["none"] == [len(NAMES), rows["none"][1], len(NAMES), 0, 0]


def test_labels_of_steps_call_right_what_follows_from_an_error(tmp_path: Path) -> None:
    given = candidates()
    benches = {about: tmp_path / about for about in ("prefix", "step")}
    for about, folder in benches.items():
        write_bench(given, folder, about)  # type: ignore[arg-type]
        assert stated(folder) == about
    prefix, step = (read_bench(folder).samples for folder in benches.values())
    pairs = [
        pair for one, other in zip(prefix, step, strict=True) for pair in zip(one.labels, other.labels, strict=True)
    ]
    assert (1, -1) not in pairs, "an error makes what comes up to it wrong, too"
    assert pairs.count((-1, 1)) > 10
    errors = sum(one.labels.count(-1) for one in step)
    assert sum(first != "none" for first, _ in write_bench(given, tmp_path / "again", "step")) <= errors
