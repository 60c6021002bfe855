"""Run directories of any size, made in seconds: rows as a run leaves them, without an engine that drew them.

A few problems are annotated with made-up text; all others repeat them under ids and pictures of their own. What no
publishing reads, the draws' texts and token ids, is empty.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.config import RunConfig, parse_config
from pipeline.engine.policy import model_fingerprint
from pipeline.records import (
    VERDICT_STATUSES,
    AnnotatedProblem,
    Draw,
    Problem,
    Solution,
    SolutionId,
    Step,
    Verdict,
    ledger_row,
)
from pipeline.schemas import LEDGER_SCHEMA, PROBLEM_SCHEMA, table
from pipeline.store import Store
from stages.annotate.settings_lock import lock_settings, read_templates
from stages.verify.version import verifier_version

SOLUTIONS = 4
DRAWS = 16
PART = 14_000
"""Problems of one problem file."""
BLOCK = 32
"""Problems of one ledger file."""
TEMPLATES = 4
"""Blocks that are made up; the others repeat them."""
SOURCES = ("charts", "geometry", "tables", "maps")
POLICY, KEY = "stand-in", "0123456789ab"
_WORDS = [a + b for a in ("read", "add", "take", "count", "value", "total") for b in ("", "s", "ed", "ing")]


def config(folder: Path) -> RunConfig:
    """The settings of a stand-in run whose dataset goes to `folder`/data."""
    sources = [{"name": name, "path": f"{folder}/rows.jsonl", "verify": ["number"]} for name in SOURCES]
    return parse_config(
        {
            "name": "stand-in",
            "run_dir": str(folder / "run"),
            "output_dir": str(folder / "data"),
            "prompt": "prompts/demo_v1.txt",
            "sources": sources,
            "engine": {"kind": "scripted"},
            "sampling": {"num_solutions": SOLUTIONS},
            "rollout": {"num_draws": DRAWS},
        }
    )


def write_run(folder: Path, problems: int, image_bytes: int, done: int | None = None, block: int = BLOCK) -> Store:
    """A run of that many problems in `folder`/run, of which the first `done` are annotated (by default all), `block` a file."""
    settings = config(folder)
    store = Store(settings.run_dir)
    store.make()
    for name in ("problems", "annotations", "checkpoint"):
        store.filesystem.create_dir(store.path(name))
    templates = [_annotated(random.Random(seed)) for seed in range(TEMPLATES)]
    pictures = np.random.default_rng(0)
    number = 0
    for part, start in enumerate(range(0, problems, PART)):
        ids = sorted(_problem_id(index) for index in range(start, min(start + PART, problems)))
        pq.write_table(
            _problems(ids, image_bytes, pictures), store.path(f"problems/part-{part:05d}.parquet"),
            row_group_size=32, compression="zstd",
        )  # fmt: skip
        for first in range(0, len(ids), block):
            if done is not None and start + first >= done:
                break
            own = ids[first : first + block]
            pq.write_table(
                _renamed(templates[number % TEMPLATES].slice(0, len(own)), own),
                store.path(f"annotations/b{number:06d}-0.parquet"),
            )
            pq.write_table(pa.table({"problem_id": own}), store.path(f"checkpoint/b{number:06d}.parquet"))
            number += 1
    store.write_jsonl("quarantine/load.jsonl", [])
    store.write_json("problems.json", {"rejected": {}})
    lock_settings(store, settings, read_templates(settings), model_fingerprint(settings.engine))
    return store


def rows(count: int, seed: int = 0) -> Iterator[AnnotatedProblem]:
    """Made-up problems with their solutions, as an engine hands them on."""
    rng = random.Random(seed)
    for _ in range(count):
        yield _problem(rng)


def _problem_id(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()[:32]


def _annotated(rng: random.Random) -> pa.Table:
    return table([ledger_row(_problem(rng)) for _ in range(BLOCK)], LEDGER_SCHEMA)


def _problem(rng: random.Random) -> AnnotatedProblem:
    problem = Problem("", SOURCES[0], "", "<image> What?", "4", (), (), ("number",), 6, "prompts/demo_v1.txt")
    solutions = tuple(_solution(rng, index) for index in range(SOLUTIONS))
    return AnnotatedProblem(
        problem,
        solutions,
        POLICY,
        KEY,
        f"{_text(rng, 40)}\n<image> What?",
        "cafe",
        "fixed",
        verifier=verifier_version(),
    )


def _solution(rng: random.Random, index: int) -> Solution:
    def verdict() -> Verdict:
        (status,) = rng.choices(VERDICT_STATUSES[:4], (50, 40, 5, 5))
        return Verdict(status, "4", "number", "equal")

    texts = [_text(rng, 25) for _ in range(rng.randint(4, 12))]
    drawn = [tuple(Draw((), "", "stop", 0, verdict()) for _ in range(DRAWS)) for _ in texts[:-1]]
    steps = [
        Step(f"{text}\n\n", 0, 1, True, draws, origin="measured") for text, draws in zip(texts, drawn, strict=False)
    ]
    last = Step(texts[-1], 0, 1, True, origin="own_answer")
    return Solution(str(SolutionId("", KEY, index)), "\n\n".join(texts), (), "stop", index, verdict(), (*steps, last))


def _text(rng: random.Random, words: int) -> str:
    return " ".join(rng.choice(_WORDS) + str(rng.randint(0, 99)) for _ in range(words))


def _renamed(block: pa.Table, ids: Sequence[str]) -> pa.Table:
    """The same annotations of other problems."""
    held = block["solutions"].combine_chunks()
    flat = held.flatten()
    names = [str(SolutionId(key, KEY, index)) for key in ids for index in range(SOLUTIONS)]
    columns = [pa.array(names), *(flat.field(index) for index in range(1, flat.type.num_fields))]
    solutions = pa.ListArray.from_arrays(
        pa.array(range(0, len(names) + 1, SOLUTIONS), pa.int32()),
        pa.StructArray.from_arrays(columns, fields=list(flat.type)),
        type=held.type,
    )
    at = block.schema.get_field_index("solutions")
    return block.set_column(0, "problem_id", pa.array(ids)).set_column(at, block.schema.field(at), solutions)


def _problems(ids: Sequence[str], image_bytes: int, pictures: np.random.Generator) -> pa.Table:
    data = [pictures.bytes(image_bytes) for _ in ids]
    images = [[{"sha256": hashlib.sha256(each).hexdigest(), "data": each}] for each in data]
    same = {"answer": "4", "options": [], "verify": ["number"], "max_tiles": 6, "prompt": "prompts/demo_v1.txt"}
    made = [
        {"problem_id": key, "source": SOURCES[int(key[:2], 16) % len(SOURCES)], "row_id": key, "images": own,
         "question": f"<image> What is {key}?", "extra": "{}", "contamination": None, **same}
        for key, own in zip(ids, images, strict=True)
    ]  # fmt: skip
    return table(made, PROBLEM_SCHEMA)
