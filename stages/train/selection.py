"""Which problems are held out of a training, and which solutions of the others are trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from pipeline.records import problem_of
from stages.train import targets
from stages.train.config import TrainConfig
from stages.train.labels import Labels
from stages.train.shards import LIGHT, problems


def is_held_out(problem_id: str, share: float, seed: int) -> bool:
    """Is this problem, with all of its solutions, kept for evaluation? Follows from its id alone."""
    return _uniform(f"held out {seed} {problem_id}") < share


def selected(config: TrainConfig, shards: Sequence[Path], labels: Labels, folder: Path) -> set[str] | None:
    """The ids of the training solutions that are kept; None for all."""
    data = config.data
    if data.keep == 1 and not data.drop_all_right:
        return None
    ranked: dict[str, list[tuple[float, str]]] = {}
    for rows in problems(shards, LIGHT, folder):
        problem = [labels.row(row) for row in rows]
        problem_id = problem_of(problem[0]["id"])
        if is_held_out(problem_id, data.held_out, config.seed):
            continue
        if data.drop_all_right and targets.all_right(
            targets.step_targets(row["steps_with_score"], "value") for row in problem
        ):
            continue
        for row in problem:
            informative = targets.selection_score(row["steps_with_score"], data.select_alpha)
            score = informative if data.select == "informative" else _uniform(f"keep {config.seed} {problem_id}")
            if score is not None:
                ranked.setdefault(row["source"], []).append((-score, row["id"]))
    return {
        name for found in ranked.values() for _, name in sorted(found)[: max(1, round(data.keep * len(found)))]
    }  # fmt: skip


def _uniform(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
