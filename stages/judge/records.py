"""The ledger of judgements: a row a problem and policy, with every vote on every solution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from stages.judge.answer import Opinion

OPINION = pa.struct([("verdict", pa.string()), ("category", pa.string()), ("reason", pa.string())])
VOTE = pa.struct(
    [
        ("seed", pa.int64()),
        ("num_tokens", pa.int32()),
        ("unread", pa.string()),
        ("steps", pa.list_(OPINION)),
    ]
)
"""`unread` says why an answer gave no verdicts (`cut`, `no_json`, `other_form`); then `steps` is null."""
JUDGED_SOLUTION = pa.struct(
    [("solution_id", pa.string()), ("num_steps", pa.int32()), ("error", pa.string()), ("votes", pa.list_(VOTE))]
)
JUDGEMENT_SCHEMA = pa.schema(
    [
        ("problem_id", pa.string()),
        ("policy_key", pa.string()),
        ("judge_model", pa.string()),
        ("prompt_sha", pa.string()),
        ("show_answer", pa.bool_()),
        ("error", pa.string()),
        ("num_prompt_tokens", pa.int64()),
        ("num_tokens", pa.int64()),
        ("cost", pa.float64()),
        ("solutions", pa.list_(JUDGED_SOLUTION)),
    ]
)
"""`error` says why a problem or a solution was not judged, as `reason: detail`. `cost` is null without `judge.price`."""


@dataclass(frozen=True, slots=True)
class Vote:
    """One answer on one solution: the seed that gave it, its tokens, and its verdicts or why there are none."""

    seed: int
    num_tokens: int
    unread: str | None
    steps: tuple[Opinion, ...] | None

    def row(self) -> dict[str, Any]:
        steps = None if self.steps is None else [one._asdict() for one in self.steps]
        return {"seed": self.seed, "num_tokens": self.num_tokens, "unread": self.unread, "steps": steps}


@dataclass(frozen=True, slots=True)
class JudgedSolution:
    """A solution's votes; `error` says why it could not be asked about."""

    solution_id: str
    num_steps: int
    votes: Sequence[Vote] = ()
    error: str | None = None
    num_prompt_tokens: int = 0

    def row(self) -> dict[str, Any]:
        return {
            "solution_id": self.solution_id,
            "num_steps": self.num_steps,
            "error": self.error,
            "votes": [vote.row() for vote in self.votes],
        }
