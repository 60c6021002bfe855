"""Small published datasets for tests: pictures in a few sizes, solutions with measured steps."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from pipeline.schemas import PUBLISHED_SCHEMA


def picture(number: int, width: int = 40, height: int = 30) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (number % 256, 40 * number % 256, 90)).save(buffer, "PNG")
    return buffer.getvalue()


def step(text: str, k: int | None, n: int = 16, origin: str = "measured") -> dict[str, Any]:
    if k is None:
        return {"step": text, "score": None, "num_mc_correct": None, "num_mc_total": None, "label": None,
                "origin": "not_sampled"}  # fmt: skip
    return {"step": text, "score": k / n, "num_mc_correct": k, "num_mc_total": n, "label": "+" if k else "-",
            "origin": origin}  # fmt: skip


def row(problem: int, solution: int, steps: Sequence[Mapping[str, Any]], **other: Any) -> dict[str, Any]:
    last = steps[-1]["score"] if steps else None
    image = picture(problem)
    return {
        "id": f"{problem:032x}/policy/s{solution}",
        "source": "test",
        "images": [{"bytes": image, "path": "x.png"}],
        "question": f"What is {problem}?",
        "prompt": "",
        "answer": "4",
        "response": "\n\n".join(step["step"] for step in steps),
        "steps_with_score": list(steps),
        "num_mc_sequences": 16,
        "response_answer": None,
        "response_correct": None if last is None else last > 0,
        "policy_model": "policy",
        "prompt_sha": "",
        **other,
    }


def solutions(problems: int, each: int = 2) -> list[dict[str, Any]]:
    """Solutions of 2 to 5 steps; one that says `bad` is wrong from there on."""
    made = []
    for problem in range(problems):
        for solution in range(each):
            error = (problem + solution) % 4 if (problem + solution) % 3 else 9
            words = [
                ("bad " if index == error else "good ") + "step " * (index + 1) for index in range(2 + problem % 4)
            ]
            made.append(row(problem, solution, [step(word, 12 * (index < error)) for index, word in enumerate(words)]))
    return made


def write(folder: Path, rows: Iterable[Mapping[str, Any]], schema: pa.Schema = PUBLISHED_SCHEMA) -> str:
    """A dataset's folder with one shard."""
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(list(rows), schema=schema)
    pq.write_table(table, folder / "train-00000-of-00001.parquet", row_group_size=8)
    return str(folder)
