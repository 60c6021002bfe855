"""Judges one response: finds its final answer and compares it with the gold, mode by mode, cheapest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from pipeline.records import Verdict
from stages.verify import equations
from stages.verify.brackets import read_items
from stages.verify.extract import extract, gold_answer
from stages.verify.finding import Finding
from stages.verify.markers import MAX_ANSWER
from stages.verify.modes import EVERY, MODES, choice, exact, math, text
from stages.verify.modes import list as list_mode
from stages.verify.notation import plain
from stages.verify.options import lettered

MAX_GOLD = 2 * MAX_ANSWER
"""Characters of a gold that an answer, of at most `MAX_ANSWER`, can still be equal to."""
MAX_SHAPED = 500
"""Characters of a gold whose parts are counted."""


@dataclass(frozen=True, slots=True)
class Comparison:
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

    Without `options`, those that stand in `question` are used, and letters go by its order if the two differ.
    Math-verify runs without limits here: for responses that nobody has checked, use `VerifierPool`.
    """
    comparison = find_comparison(gold, response, modes, options, question, finish_reason)
    if isinstance(comparison, Verdict):
        return comparison
    return judge_cheaply(comparison) or judge_math(comparison)


def find_comparison(
    gold: str,
    response: str,
    modes: Sequence[str],
    options: Sequence[str],
    question: str,
    finish_reason: str,
    same_text: bool = True,
) -> Comparison | Verdict:
    """What is to be compared, or at once the verdict where nothing is.

    A response that the token limit cut is judged if its final answer was complete by then, that is, if the
    answer's box or tag is closed or another line follows; else the answer might have gone on.
    Unless `same_text`, an answer that is the gold to the letter must still be read by one of the modes.
    """
    try:
        known = lettered(tuple(options), question)
        wanted_gold = gold_answer(gold)
        is_letter, parts = _shape(wanted_gold)
        found = extract(response, known, question, finish_reason, is_letter, parts)
        if finish_reason == "length" and (found is None or not found.complete):
            return Verdict("truncated", found.text if found else None, None, "cut by the token limit")
        if found is None:
            return Verdict("no_answer", None, None, "no final answer")
        if len(wanted_gold) > MAX_GOLD:
            return Verdict("incorrect", found.text[:MAX_ANSWER], None, "the gold is longer than any answer")
        # The same text is right in any mode.
        wanted = tuple(mode for mode in MODES if mode in modes or (same_text and mode == "exact"))
        said = found.whole if found.whole and _is_whole(wanted_gold, found.whole, wanted) else found.text
        if (why := equations.fails(said[:MAX_ANSWER], (wanted_gold, *known))) is not None:
            return Verdict("incorrect", said[:MAX_ANSWER], None, f"an equation that does not hold: {why}")
        return Comparison(wanted_gold, said[:MAX_ANSWER], wanted, known)
    except Exception as error:
        return _failed(None, None, error)


@lru_cache(maxsize=1024)
def _shape(gold: str) -> tuple[bool, int]:
    """Whether a gold is the letter of an option, and of how many parts it consists."""
    return (choice.is_letters(gold), len(read_items(plain(gold)).parts)) if len(gold) <= MAX_SHAPED else (False, 1)


def _is_whole(gold: str, whole: str, modes: Sequence[str]) -> bool:
    """Whether the whole sentence after a marker is the gold, and not only what it ends on."""
    compared = [exact.compare]
    if {"text", "relaxed", "anls", "choice"} & set(modes):
        compared.append(text.compare)
    if "list" in modes:
        compared.append(list_mode.compare)
    return any(compare(gold, whole).equal for compare in compared)


def judge_cheaply(comparison: Comparison) -> Verdict | None:
    """The verdict of the bounded modes, or None if only math-verify can tell."""
    decided: str | None = None
    reason = "no mode can compare it"
    settled: frozenset[str] = frozenset()
    for mode in comparison.modes:
        if mode in settled or EVERY in settled:
            continue
        try:
            found = (
                math.compare_bounded(comparison.gold, comparison.answer)
                if mode == "math"
                else MODES[mode].find(comparison.gold, comparison.answer, comparison.options)
            )
        except Exception as error:
            return _failed(comparison.answer, mode, error)
        if found is None:
            return None
        if mode == "math":
            return math_verdict(comparison, found)
        if found.equal:
            return Verdict("correct", comparison.answer, mode, found.reason)
        if found.equal is False:
            decided, reason = mode, found.reason
            settled |= MODES[mode].settles
    return Verdict("incorrect", comparison.answer, decided, reason)


def judge_math(comparison: Comparison) -> Verdict:
    """The verdict of math-verify on a comparison that nothing else can tell."""
    try:
        return math_verdict(comparison, math.compare_by_library(comparison.gold, comparison.answer))
    except Exception as error:
        return _failed(comparison.answer, "math", error)


def math_verdict(comparison: Comparison, found: Finding) -> Verdict:
    """A comparison that `math` can't read, or that is refused, is a wrong answer like any other text that differs."""
    if found.equal:
        return Verdict("correct", comparison.answer, "math", found.reason)
    return Verdict("incorrect", comparison.answer, "math", found.reason)


def _failed(answer: str | None, mode: str | None, error: Exception) -> Verdict:
    return Verdict("error", answer, mode, f"{type(error).__name__}: {error}"[:200])
