"""What it costs to join a judge's verdicts at publishing, on a stand-in run, and how memory grows with it.

    python -m benchmarks judgements                          # 100,000 judged solutions beside half of them
    python -m benchmarks judgements problems=100000 --repeat 1

The baseline is publishing the same run without the judge. Verdicts are made up; each solution has two votes.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.publishing import PART, spent
from benchmarks.shape import Benchmark, Figure
from benchmarks.stand_in import SOLUTIONS, write_run
from pipeline.schemas import table
from pipeline.settings import Strict
from pipeline.store import Store
from stages.judge.answer import CATEGORIES, VERDICTS, Opinion
from stages.judge.of_run import JudgedRun
from stages.judge.records import JUDGEMENT_SCHEMA, JudgedSolution, Vote

VOTES = 2
JUDGE = "stand-in"
_SOLUTION = "solutions.list.element."
COLUMNS = ["problem_id", "policy_key", f"{_SOLUTION}solution_id", f"{_SOLUTION}steps.list.element.text"]


class Settings(Strict):
    """What is measured."""

    problems: int = 25_000
    """Problems, of four solutions each."""
    image_bytes: int = 4_000
    """Of each problem's picture, which is noise."""


def measure(settings: Settings) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, problems in (("small", settings.problems // PART), ("large", settings.problems)):
        with tempfile.TemporaryDirectory(prefix="judgements-") as folder:
            store = write_run(Path(folder), problems, settings.image_bytes)
            write_judgements(store)
            out = f"output_dir={folder}"
            plain = spent("publish", store.uri, f"{out}/plain")
            joined = spent("publish", store.uri, f"{out}/joined", "label.kind=consensus")
        found |= {f"{name}_plain_gb": plain.memory, f"{name}_gb": joined.memory}
    found |= {"plain_s": plain.cpu, "joined_s": joined.cpu}
    millions = SOLUTIONS * (settings.problems - settings.problems // PART) / 1e6
    growth = {kind: found[f"large_{kind}gb"] - found[f"small_{kind}gb"] for kind in ("", "plain_")}
    found |= {"slope": growth[""] / millions, "plain_slope": growth["plain_"] / millions}
    return {**found, "solutions": SOLUTIONS * settings.problems}


def write_judgements(run: Store) -> Store:
    """A finished ledger of made-up judgements of all solutions of a run, a file for each file of its ledger."""
    store = Store(JudgedRun(run).home.address(JUDGE))
    store.make()
    for name in ("problems", "annotations", "checkpoint"):
        store.filesystem.create_dir(store.path(name))
    for number, path in enumerate(run.problem_files()):
        # Publishing asks a judge's problem files for their ids alone.
        pq.write_table(pq.read_table(path, columns=["problem_id"]), store.path(f"problems/part-{number:05d}.parquet"))
    rng = random.Random(0)
    for number, path in enumerate(run.ledger_files()):
        with pq.ParquetFile(path) as file:
            rows = file.read(columns=COLUMNS).to_pylist()
        judged = [_row(row, rng) for row in rows]
        pq.write_table(table(judged, JUDGEMENT_SCHEMA), store.path(f"annotations/b{number:06d}-0.parquet"))
        ids = pa.table({"problem_id": [row["problem_id"] for row in rows]})
        pq.write_table(ids, store.path(f"checkpoint/b{number:06d}.parquet"))
    asked = {"judge.prompt": "prompts/judge_v1.txt", "judge.votes": VOTES, "judge.show_answer": False}
    store.write_json(
        "ledger.json", {"ledger": JudgedRun(run).key(), "engine.kind": JUDGE, "engine.model": JUDGE, **asked}
    )
    return store


def _row(row: Mapping[str, Any], rng: random.Random) -> dict[str, Any]:
    solutions = [_judged(one["solution_id"], len(one["steps"]), rng) for one in row["solutions"]]
    plain = {"judge_model": JUDGE, "prompt_sha": "cafe", "show_answer": False, "error": None}
    counts = {"num_prompt_tokens": 1_000, "num_tokens": 300}
    return {"problem_id": row["problem_id"], "policy_key": row["policy_key"], **plain, **counts, "solutions": solutions}


def _judged(solution_id: str, steps: int, rng: random.Random) -> dict[str, Any]:
    votes = []
    for seed in range(VOTES):
        opinions = tuple(Opinion(rng.choice(VERDICTS), rng.choice(CATEGORIES), "It is read off.") for _ in range(steps))
        votes.append(Vote(seed, 150, None, opinions))
    return JudgedSolution(solution_id, steps, votes).row()


BENCHMARK = Benchmark(
    on="{solutions:,.0f} judged solutions of a stand-in run, two votes each, pictures of {image_bytes} bytes",
    figures=(
        Figure(
            "CPU of `visualprm publish` with a judge's verdicts against without, both starts included",
            "joined_s",
            "plain_s",
            "s",
            at_most=2,
        ),
        Figure("its peak memory against without", "large_gb", "large_plain_gb", "GB", at_most=1.2),
        Figure("… its growth with a million solutions", "slope", unit="GB", at_most=0.4),
        Figure("… without the judge", "plain_slope", unit="GB"),
    ),
    settings=Settings,
    measure=measure,
    on_request=True,
)
