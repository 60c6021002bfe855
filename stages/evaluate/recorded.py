"""Scores on disk: one JSON object a sample, so that a report can be made again, or from any other critic's scores.

    {"id": "…", "scores": [0.93, null, 0.11]}

`id` is the row's own `id`, or the hash that `visualprm evaluate` wrote; null is a step without a score.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.errors import UserError
from stages.evaluate.bench import BenchSample
from stages.evaluate.critic import Scores


def to_lines(samples: Sequence[BenchSample], scores: Sequence[Scores]) -> str:
    rows = ({"id": sample.sample_id, "scores": of_one} for sample, of_one in zip(samples, scores, strict=True))
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def read_scores(path: Path, samples: Iterable[BenchSample]) -> list[Scores]:
    """The recorded scores of each sample; a sample that the file leaves out has none.

    Raises:
        UserError: the file can't be read, a line is no such object, or its length is not the sample's.
    """
    found: dict[str, Scores] = {}
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: can't be read: {error}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            values = [None if value is None else float(value) for value in row["scores"]]
            found[str(row["id"])] = values
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path}: line {number} is not {{'id': …, 'scores': […]}}: {error}") from error
        if any(value is not None and not math.isfinite(value) for value in values):
            raise UserError(f"{path}: line {number}: scores must be finite numbers or null")
    scores = []
    for sample in samples:
        values = found.get(sample.sample_id, [None] * len(sample.steps))
        if len(values) != len(sample.steps):
            raise UserError(
                f"{path}: sample {sample.sample_id}: {len(values)} scores for {len(sample.steps)} steps: give one per step"
            )
        scores.append(values)
    if not any(sample_id in found for sample_id in (sample.sample_id for sample in samples)):
        raise UserError(f"{path}: no sample of this bench is in it: its ids must be the bench's")
    return scores
