"""The row types and their Arrow schemas: the one place that names a column.

A `Problem` enters the run, an `AnnotatedProblem` leaves it (the ledger: every draw is kept), and a
published row follows VisualPRM400K-v1.1-Raw where that has a column (arXiv 2503.10291, section 3.1).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any, Literal, get_args

import pyarrow as pa

IMAGE = "<image>"
"""Stands for an image in a question."""
SEPARATOR = "\n\n"
"""Ends every step of a response but the last."""

VerdictStatus = Literal["correct", "incorrect", "no_answer", "truncated", "timeout", "error"]
VERDICT_STATUSES: tuple[VerdictStatus, ...] = get_args(VerdictStatus)
Mode = Literal["exact", "choice", "number", "math", "text", "relaxed", "anls", "list", "date"]
StepOrigin = Literal["measured", "own_answer", "implied", "not_sampled"]
FinishReason = Literal["stop", "length"]
OverlapKind = Literal["image", "question", "both"]


@dataclass(frozen=True, slots=True)
class Image:
    """An encoded image (PNG, JPEG, …) and the hex SHA-256 of its bytes."""

    sha256: str
    data: bytes

    @classmethod
    def of(cls, data: bytes) -> Image:
        return cls(hashlib.sha256(data).hexdigest(), data)


@dataclass(frozen=True, slots=True)
class Problem:
    """A question about images, with the answer that a solution must reach.

    `question` is as in the source; every `<image>` in it stands for one image, in order; without any,
    the images come first. `options` are the texts of a multiple choice, A first, or empty.
    `verify` names the verification modes, `prompt` the prompt file. `row_id` is the source's own name for the row.
    `extra` holds the source's other fields as a JSON object. `contamination` names the benchmarks that it overlaps
    with; null if it was compared with none.
    """

    problem_id: str
    source: str
    row_id: str
    question: str
    answer: str
    images: tuple[Image, ...]
    options: tuple[str, ...]
    verify: tuple[Mode, ...]
    max_tiles: int
    prompt: str
    extra: str = "{}"
    contamination: tuple[str, ...] | None = None

    @staticmethod
    def make_id(
        source: str, question: str, answer: str, image_sha256s: Sequence[str], options: Sequence[str] = ()
    ) -> str:
        """128 bits of SHA-256 over everything that makes two problems the same one."""
        key = json.dumps([source, question, answer, list(image_sha256s), list(options)], ensure_ascii=False)
        return hashlib.sha256(key.encode()).hexdigest()[:32]


def asked(question: str, options: Sequence[str]) -> str:
    """The question as whoever answers or judges it must see it: options that it does not list follow it, lettered."""
    # No source gives more options than there are letters (`stages/load/sources/fields.py`).
    lettered = list(zip(ascii_uppercase, options, strict=False))
    if all(re.search(rf"\b{letter}\W{{1,4}}{re.escape(option)}(?!\w)", question) for letter, option in lettered):
        return question
    return "\n".join([question, *(f"{letter}. {option}" for letter, option in lettered)])


@dataclass(frozen=True, slots=True)
class Rejected:
    """A source row that can't be used, and why."""

    source: str
    row_id: str
    reason: str
    detail: str

    def row(self) -> dict[str, str]:
        """The quarantine's line."""
        return {"source": self.source, "id": self.row_id, "reason": self.reason, "detail": self.detail}

    @classmethod
    def from_row(cls, row: Mapping[str, str]) -> Rejected:
        return cls(row["source"], row["id"], row["reason"], row["detail"])


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the verifier says of one response; `mode` is the mode that decided, `reason` says how."""

    status: VerdictStatus
    answer: str | None = None
    mode: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Draw:
    """One Monte Carlo continuation of a step prefix. `text` is the continuation alone."""

    token_ids: tuple[int, ...]
    text: str
    finish_reason: FinishReason
    seed: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a solution: its text, its tokens `[start, end)` in the solution, and what was drawn after it.

    The span includes the separator that completes the step. `num_mc_correct`, `num_mc_total` and
    `score` follow from the draws (see `stages/label.py`) and are null where nothing was measured.
    """

    text: str
    start: int
    end: int
    token_exact: bool
    draws: tuple[Draw, ...] = ()
    num_mc_correct: int | None = None
    num_mc_total: int | None = None
    score: float | None = None
    origin: StepOrigin = "not_sampled"


@dataclass(frozen=True, slots=True)
class SolutionId:
    """Names a solution in ledgers, pools and datasets; as text `<problem_id>/<policy key>/s<index>`."""

    problem_id: str
    policy_key: str
    index: int

    @property
    def parts(self) -> tuple[str, str, str]:
        return self.problem_id, self.policy_key, f"s{self.index}"

    def __str__(self) -> str:
        return "/".join(self.parts)

    @classmethod
    def parse(cls, text: str) -> SolutionId:
        """Raises ValueError if the text is not such an id."""
        if not (found := re.fullmatch(r"([^/]+)/([^/]+)/s(0|[1-9]\d*)", text, re.ASCII)):
            raise ValueError(f"{text!r} is not <problem_id>/<policy key>/s<index>")
        return cls(found[1], found[2], int(found[3]))


def problem_of(solution_id: str) -> str:
    """The id of the problem that a row's id begins with, whoever wrote the rest."""
    return solution_id.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Solution:
    """A chain of reasoning. `solution_id` is a `SolutionId`'s text, `seed` null if it was given."""

    solution_id: str
    text: str
    token_ids: tuple[int, ...]
    finish_reason: FinishReason
    seed: int | None
    verdict: Verdict
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class AnnotatedProblem:
    """A problem and its solutions: the unit of work, of resume and of retry, and a row of the ledger.

    `error` says why nothing could be annotated (then there are no solutions), as `reason: detail`.
    """

    problem: Problem
    solutions: tuple[Solution, ...]
    policy_model: str
    policy_key: str
    prompt: str
    prompt_sha: str
    strategy: str
    error: str | None = None
    verifier: str | None = None
    """Which verifier gave the verdicts (`stages.verify.version`); null in ledgers from before it was recorded."""

    @property
    def num_draws(self) -> int:
        return sum(len(step.draws) for solution in self.solutions for step in solution.steps)

    @property
    def num_tokens(self) -> int:
        """Generated tokens: the solutions' and all draws'."""
        return sum(
            len(solution.token_ids) + sum(len(draw.token_ids) for step in solution.steps for draw in step.draws)
            for solution in self.solutions
        )


VERDICT = pa.struct([("status", pa.string()), ("answer", pa.string()), ("mode", pa.string()), ("reason", pa.string())])
DRAW = pa.struct(
    [
        ("token_ids", pa.list_(pa.int32())),
        ("text", pa.string()),
        ("finish_reason", pa.string()),
        ("seed", pa.int64()),
        ("verdict", VERDICT),
    ]
)
STEP = pa.struct(
    [
        ("text", pa.string()),
        ("start", pa.int32()),
        ("end", pa.int32()),
        ("token_exact", pa.bool_()),
        ("draws", pa.list_(DRAW)),
        ("num_mc_correct", pa.int32()),
        ("num_mc_total", pa.int32()),
        ("score", pa.float64()),
        ("origin", pa.string()),
    ]
)
SOLUTION = pa.struct(
    [
        ("solution_id", pa.string()),
        ("text", pa.string()),
        ("token_ids", pa.list_(pa.int32())),
        ("finish_reason", pa.string()),
        ("seed", pa.int64()),
        ("verdict", VERDICT),
        ("steps", pa.list_(STEP)),
    ]
)
PROBLEM_SCHEMA = pa.schema(
    [
        ("problem_id", pa.string()),
        ("source", pa.string()),
        ("row_id", pa.string()),
        ("question", pa.string()),
        ("answer", pa.string()),
        ("images", pa.list_(pa.struct([("sha256", pa.string()), ("data", pa.binary())]))),
        ("options", pa.list_(pa.string())),
        ("verify", pa.list_(pa.string())),
        ("max_tiles", pa.int32()),
        ("prompt", pa.string()),
        ("extra", pa.string()),
        ("contamination", pa.list_(pa.string())),
    ]
)
LEDGER_SCHEMA = pa.schema(
    [
        ("problem_id", pa.string()),
        ("policy_model", pa.string()),
        ("policy_key", pa.string()),
        ("prompt", pa.string()),
        ("prompt_sha", pa.string()),
        ("strategy", pa.string()),
        ("error", pa.string()),
        ("verifier", pa.string()),
        ("num_draws", pa.int64()),
        ("num_tokens", pa.int64()),
        ("solutions", pa.list_(SOLUTION)),
    ]
)
PUBLISHED_STEP = pa.struct(
    [
        ("step", pa.string()),
        ("score", pa.float64()),
        ("num_mc_correct", pa.int32()),
        ("num_mc_total", pa.int32()),
        ("label", pa.string()),
        ("origin", pa.string()),
    ]
)
PUBLISHED_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("images", pa.list_(pa.struct([("bytes", pa.binary()), ("path", pa.string())]))),
        ("question", pa.string()),
        ("prompt", pa.string()),
        ("answer", pa.string()),
        ("response", pa.string()),
        ("steps_with_score", pa.list_(PUBLISHED_STEP)),
        ("num_mc_sequences", pa.int32()),
        ("response_answer", pa.string()),
        ("response_correct", pa.bool_()),
        ("policy_model", pa.string()),
        ("prompt_sha", pa.string()),
        ("contamination", pa.list_(pa.string())),
    ]
)

IMPORTED_SCHEMA = PUBLISHED_SCHEMA.append(pa.field("extra", pa.string()))
"""What `visualprm import` writes; `extra` is `stages.publish.kept.Kept` as JSON."""


def problem_row(problem: Problem) -> dict[str, Any]:
    return dataclasses.asdict(problem)


def problem_from_row(row: Mapping[str, Any]) -> Problem:
    # Absent, not null, in runs that were loaded before there was such a column.
    found = row.get("contamination")
    fields = {field.name: row[field.name] for field in dataclasses.fields(Problem) if field.name != "contamination"}
    fields["contamination"] = None if found is None else tuple(found)
    fields["images"] = tuple(Image(**image) for image in row["images"])
    fields["options"] = tuple(row["options"])
    fields["verify"] = tuple(row["verify"])
    return Problem(**fields)


def ledger_row(item: AnnotatedProblem) -> dict[str, Any]:
    """The ledger's row: the problem stays in its own table and is joined by `problem_id`."""
    return {
        "problem_id": item.problem.problem_id,
        "policy_model": item.policy_model,
        "policy_key": item.policy_key,
        "prompt": item.prompt,
        "prompt_sha": item.prompt_sha,
        "strategy": item.strategy,
        "error": item.error,
        "verifier": item.verifier,
        "num_draws": item.num_draws,
        "num_tokens": item.num_tokens,
        "solutions": list(map(solution_row, item.solutions)),
    }


def solution_row(solution: Solution) -> dict[str, Any]:
    """As `dataclasses.asdict`, which copies every token id: with that, half of an actor's time went into rows."""
    return {
        **_columns(solution),
        "verdict": _columns(solution.verdict),
        "steps": tuple({**_columns(step), "draws": tuple(map(_draw_row, step.draws))} for step in solution.steps),
    }


def _draw_row(draw: Draw) -> dict[str, Any]:
    return {**_columns(draw), "verdict": _columns(draw.verdict)}


def _columns(value: Solution | Step | Draw | Verdict) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


def solution_from_row(row: Mapping[str, Any]) -> Solution:
    return Solution(
        **{
            **row,
            "token_ids": tuple(row["token_ids"]),
            "verdict": Verdict(**row["verdict"]),
            "steps": tuple(_step_from_row(step) for step in row["steps"]),
        }
    )


def _step_from_row(row: Mapping[str, Any]) -> Step:
    draws = tuple(
        Draw(**{**draw, "token_ids": tuple(draw["token_ids"]), "verdict": Verdict(**draw["verdict"])})
        for draw in row["draws"]
    )
    return Step(**{**row, "draws": draws})


def table(rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=schema)
