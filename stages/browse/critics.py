"""Files of critics' scores, found again by the ids of the solutions that they are of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import UserError
from stages.best_of_n.scores import CriticScores, read_scores
from stages.browse.collection import Said
from stages.browse.pools import CandidatePool

Numbers = list[float | None] | None


@dataclass(frozen=True)
class Critic:
    """What one critic said of steps: `scores` has a list for each of `ids`, null where it gave none.

    `low` and `high` are the ends of intervals, entry for entry, null where it gave none. `middle` is where its scores turn
    from wrong to right. `stamp` changes when the scores do.
    """

    name: str
    ids: pa.Array
    scores: pa.Array
    low: pa.Array
    high: pa.Array
    middle: float
    stamp: str

    def of(self, solution_ids: Sequence[str]) -> list[list[Said] | None]:
        """What it said of each solution's steps."""
        rows = pc.index_in(pa.array(solution_ids, pa.string()), self.ids)
        columns = [column.take(rows).to_pylist() for column in (self.scores, self.low, self.high)]
        return [self._said(*own) for own in zip(*columns, strict=True)]

    def _said(self, scores: Numbers, low: Numbers, high: Numbers) -> list[Said] | None:
        if scores is None:
            return None
        if low is None or high is None:
            return [Said(self.name, score) for score in scores]
        return [Said(self.name, *each) for each in zip(scores, low, high, strict=True)]


def read_critic(path: str, name: str | None = None) -> Critic:
    """A file of `visualprm evaluate` (`id`, `scores`) or of `visualprm score` (`id`, `step_scores`), as JSONL or Parquet.

    Raises:
        UserError: it can't be read, or no line of it is such a row.
    """
    file = Path(path)
    try:
        stat = file.stat()
        rows = pq.read_table(file).to_pylist() if file.suffix == ".parquet" else list(_lines(file))
        found = {str(row["id"]): _of_row(row) for row in rows}
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowInvalid) as error:
        raise UserError(
            f"{path}: can't be read as scores ({error}): name a file of `visualprm evaluate` or `score`"
        ) from error
    if not found:
        raise UserError(f"{path}: holds no scores: name a file of `visualprm evaluate` or `visualprm score`")
    return _critic(
        name or f"{file.resolve().parent.name}/{file.stem}", found, 0.5, f"{path}:{stat.st_size}:{stat.st_mtime_ns}"
    )


def pool_critics(pool: CandidatePool) -> list[Critic]:
    """The critics whose scores lie beside a pool."""
    if not pool.store.files("scores", "critic.json"):
        return []
    frozen = pool.pool()
    critics = read_scores(frozen)
    found: dict[str, dict[str, tuple[Numbers, Numbers, Numbers]]] = {critic.name: {} for critic in critics}
    for _, candidates in frozen.candidates():
        for critic in critics:
            if candidates[0].problem_id not in critic.rows:
                continue
            columns = (critic.of(candidates), critic.of(candidates, "step_low"), critic.of(candidates, "step_high"))
            for candidate, *said in zip(candidates, *columns, strict=True):
                scores, low, high = (_spread(critic, own, len(candidate.steps)) for own in said)
                found[critic.name][candidate.candidate_id] = (scores, low, high)
    return [
        _critic(
            critic.name, found[critic.name], sum(critic.bounds) / 2, f"{frozen.hash}:{critic.name}:{critic.problems}"
        )
        for critic in critics
    ]


def disagreements(critics: Iterable[Critic], ids: pa.Array, offsets: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How many steps of each solution have the other label by some critic's middle.

    Args:
        ids: of the solutions.
        offsets: int [solutions + 1], of their steps in `labels`.
        labels: [steps] 1 right, 0 wrong, -1 neither.
    """
    differs = np.zeros(len(labels), bool)
    for critic in critics:
        lists = critic.scores.take(pc.index_in(ids, critic.ids))
        lengths = pc.fill_null(pc.list_value_length(lists), -1).to_numpy(zero_copy_only=False)
        fits = lengths == np.diff(offsets)
        values = lists.filter(pa.array(fits)).flatten().to_numpy(zero_copy_only=False).astype(float)
        at = np.repeat(fits, np.diff(offsets))
        said = np.where(np.isnan(values), -1, values >= critic.middle)
        differs[at] |= (said >= 0) & (labels[at] >= 0) & (said != labels[at])
    sums = np.concatenate([[0], np.cumsum(differs)])
    counted: np.ndarray = sums[offsets[1:]] - sums[offsets[:-1]]
    return counted


def _spread(critic: CriticScores, scores: list[float] | None, steps: int) -> Numbers:
    """An outcome model's one score stands at the last step."""
    if scores is None or not critic.outcome:
        return None if scores is None else list(scores)
    return [*([None] * (steps - 1)), scores[0]] if steps else None


def _critic(name: str, found: dict[str, tuple[Numbers, Numbers, Numbers]], middle: float, stamp: str) -> Critic:
    scores, low, high = (
        pa.array([row[column] for row in found.values()], pa.list_(pa.float64())) for column in range(3)
    )
    return Critic(name, pa.array(list(found), pa.string()), scores, low, high, middle, stamp)


def _of_row(row: Any) -> tuple[Numbers, Numbers, Numbers]:
    scores = row["step_scores"] if "step_scores" in row else row["scores"]
    return _numbers(scores), _numbers(row.get("step_low")), _numbers(row.get("step_high"))


def _numbers(values: Any) -> Numbers:
    return None if values is None else [None if value is None else float(value) for value in values]


def _lines(file: Path) -> Iterable[Any]:
    with file.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines if line.strip())
