"""From judged solutions to what a pool keeps of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.records import FinishReason, VerdictStatus
from pipeline.schemas import MAX_PIXELS, REFERENCES
from stages.best_of_n.answers import group_answers
from stages.best_of_n.pool import PoolCandidate
from stages.verify import VerifierPool
from stages.verify.notation import plain

MAX_CANDIDATES = 128
"""Of a problem; as far as the paper goes (arXiv 2503.10291, table 6)."""


def frozen(problem: Mapping[str, Any]) -> dict[str, Any]:
    """A problem's row in a pool: a frozen verdict needs no references any more, and nothing is drawn."""
    return {name: value for name, value in problem.items() if name not in (REFERENCES.name, MAX_PIXELS.name)}


@dataclass(frozen=True, slots=True)
class Solved:
    """A solution and its verdict; `seed` and `num_tokens` are null where nobody knows them."""

    candidate_id: str
    text: str
    steps: tuple[str, ...]
    answer: str | None
    status: VerdictStatus
    finish_reason: FinishReason
    seed: int | None
    num_tokens: int | None


async def grouped(
    problem: Mapping[str, Any], solutions: Sequence[Solved], verifier: VerifierPool
) -> list[PoolCandidate]:
    """The candidates of a problem in their order, and which of their answers say the same."""

    async def equal(first: str, second: str) -> bool:
        verdict = await verifier.verify(
            first, f"Final answer: {second}", problem["verify"], problem["options"], problem["question"]
        )
        return verdict.status == "correct"

    # The answer of a response that was cut may have gone on: it is shown, but it has no vote.
    voted = [one.answer if one.status != "truncated" else None for one in solutions]
    groups = await group_answers(voted, plain, equal)
    return [
        PoolCandidate(
            problem["problem_id"],
            number,
            one.candidate_id,
            one.text,
            one.steps,
            one.answer,
            one.status,
            group,
            one.seed,
            one.finish_reason,
            one.num_tokens,
        )
        for number, (one, group) in enumerate(zip(solutions, groups, strict=True))
    ]
