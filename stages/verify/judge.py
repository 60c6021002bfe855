"""Judges one response: finds its final answer and compares it with the gold, mode by mode, cheapest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.records import Verdict
from stages.verify.extract import MAX_ANSWER, extract, gold_answer
from stages.verify.finding import Finding
from stages.verify.modes import EVERY, MODES, math
from stages.verify.options import lettered


@dataclass(frozen=True, slots=True)
class Claim:
    """All that a comparison depends on, and so the key of the cache. `modes` are in the order they are tried."""

    gold: str
    answer: str
    modes: tuple[str, ...]
    options: tuple[str, ...]


def judge(
    gold: str,
    response: str,
    modes: Sequence[str],
    options: Sequence[str] = (),
    question: str = "",
    finish_reason: str = "stop",
) -> Verdict:
    """The verdict on `response`, worked out in this process. Never raises.

    Without `options`, those that stand in `question` are used, and letters go by its order if the two differ. `math`
    runs without limits here: for responses that nobody has checked, use `VerifierPool`.
    """
    claim = find_claim(gold, response, modes, options, question, finish_reason)
    if isinstance(claim, Verdict):
        return claim
    return judge_cheaply(claim) or judge_math(claim)


def find_claim(
    gold: str,
    response: str,
    modes: Sequence[str],
    options: Sequence[str],
    question: str,
    finish_reason: str,
    same_text: bool = True,
) -> Claim | Verdict:
    """What is claimed, or at once the verdict `no_answer` or `truncated`.

    A response that the token limit cut is judged if its final answer was complete by then, that is, if the
    answer's box or tag is closed or another line follows; else the answer might have gone on.
    Unless `same_text`, an answer that is the gold to the letter must still be read by one of the modes.
    """
    try:
        known = lettered(tuple(options), question)
        found = extract(response, known, question, finish_reason)
        if finish_reason == "length" and (found is None or not found.complete):
            return Verdict("truncated", found.text if found else None, None, "cut by the token limit")
        if found is None:
            return Verdict("no_answer", None, None, "no final answer")
        # The same text is right in any mode.
        wanted = tuple(mode for mode in MODES if mode in modes or (same_text and mode == "exact"))
        return Claim(gold_answer(gold), found.text[:MAX_ANSWER], wanted, known)
    except Exception as error:
        return _failed(None, None, error)


def judge_cheaply(claim: Claim) -> Verdict | None:
    """The verdict of the bounded modes, or None if only `math` can tell."""
    decided: str | None = None
    reason = "no mode can compare it"
    settled: frozenset[str] = frozenset()
    for mode in claim.modes:
        if mode in settled or EVERY in settled:
            continue
        if mode == "math":
            return None
        try:
            found = MODES[mode].find(claim.gold, claim.answer, claim.options)
        except Exception as error:
            return _failed(claim.answer, mode, error)
        if found.equal:
            return Verdict("correct", claim.answer, mode, found.reason)
        if found.equal is False:
            decided, reason = mode, found.reason
            settled |= MODES[mode].settles
    return Verdict("incorrect", claim.answer, decided, reason)


def judge_math(claim: Claim) -> Verdict:
    """The verdict of `math` on a claim that no other mode accepts."""
    try:
        return math_verdict(claim, math.compare(claim.gold, claim.answer))
    except Exception as error:
        return _failed(claim.answer, "math", error)


def math_verdict(claim: Claim, found: Finding) -> Verdict:
    """A claim that `math` can't read, or that is refused, is a wrong answer like any other text that differs."""
    if found.equal:
        return Verdict("correct", claim.answer, "math", found.reason)
    return Verdict("incorrect", claim.answer, "math", found.reason)


def _failed(answer: str | None, mode: str | None, error: Exception) -> Verdict:
    return Verdict("error", answer, mode, f"{type(error).__name__}: {error}"[:200])
