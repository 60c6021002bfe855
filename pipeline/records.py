"""The row types, and as which rows they are stored (`pipeline/schemas.py` has the columns).

A `Problem` enters the run, an `AnnotatedProblem` leaves it (the ledger: every draw is kept), and a
published row follows VisualPRM400K-v1.1-Raw where that has a column (arXiv 2503.10291, section 3.1).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any, Literal, get_args

IMAGE = "<image>"
"""Stands for an image in a question."""
SEPARATOR = "\n\n"
"""Ends every step of a response but the last."""

VerdictStatus = Literal["correct", "incorrect", "no_answer", "truncated", "timeout", "error"]
VERDICT_STATUSES: tuple[VerdictStatus, ...] = get_args(VerdictStatus)
GoldReading = Literal["letter", "index0", "index1", "text"]
StepOrigin = Literal["measured", "own_answer", "implied", "not_sampled", "context"]
FinishReason = Literal["stop", "length"]
OverlapKind = Literal["image", "question", "both"]
_JSON = json.JSONEncoder(ensure_ascii=False)
"""Made once: an id is made for every row of a corpus."""


@dataclass(frozen=True, slots=True)
class Image:
    """An encoded image (PNG, JPEG, …) and the hex SHA-256 of its bytes."""

    sha256: str
    data: bytes

    @classmethod
    def of(cls, data: bytes) -> Image:
        return cls(hashlib.sha256(data).hexdigest(), data)


@dataclass(frozen=True, slots=True)
class References:
    """Several right answers of one problem, as often as they were given; an answer is right if it is `at_least` of them."""

    answers: tuple[str, ...]
    at_least: int


@dataclass(frozen=True, slots=True)
class Problem:
    """A question about images, with the answer that a solution must reach.

    `question` is as in the source; every `<image>` in it stands for one image, in order; without any,
    the images come first. `options` are those of a multiple choice, A first, or empty: each is a text, a picture
    (`<image>`, which stands for one of the images after the question's), or nothing (an empty text).
    `references` are there where the source gives several answers, of which `answer` is the most frequent one.
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
    verify: tuple[str, ...]
    max_tiles: int
    prompt: str
    extra: str = "{}"
    contamination: tuple[str, ...] | None = None
    references: References | None = None
    max_pixels: int | None = None

    @staticmethod
    def make_id(
        source: str,
        question: str,
        answer: str,
        image_sha256s: Sequence[str],
        options: Sequence[str] = (),
        references: References | None = None,
    ) -> str:
        """128 bits of SHA-256 over everything that makes two problems the same one."""
        parts: list[Any] = [source, question, answer, list(image_sha256s), list(options)]
        if references is not None:
            parts.append([list(references.answers), references.at_least])
        return hashlib.sha256(_JSON.encode(parts).encode()).hexdigest()[:32]


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


_LATER = frozenset({"references", "max_pixels"})
"""What only the files of runs have whose sources set it."""


def problem_row(problem: Problem) -> dict[str, Any]:
    row = dataclasses.asdict(problem)
    return {key: value for key, value in row.items() if key not in _LATER or value is not None}


def problem_from_row(row: Mapping[str, Any]) -> Problem:
    # These columns are absent, not null, in runs that were loaded before there were any.
    found, references = row.get("contamination"), row.get("references")
    later = ("contamination", *_LATER)
    fields = {field.name: row[field.name] for field in dataclasses.fields(Problem) if field.name not in later}
    fields["max_pixels"] = row.get("max_pixels")
    fields["contamination"] = None if found is None else tuple(found)
    fields["references"] = (
        None if references is None else References(tuple(references["answers"]), references["at_least"])
    )
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
