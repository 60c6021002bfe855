"""Mode `choice`: multiple choice, with the gold and the answer each a letter, several letters, or an option's text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from stages.verify.finding import UNREADABLE, Finding
from stages.verify.notation import plain
from stages.verify.options import Conflict, canonical, chosen, real_texts

_LETTERS = re.compile(r"\(?[A-Z]\)?|A?B?C?D?E?F?G?H?|[A-H](?:, ?[A-H])+")
"""Golds that are letters even where no options are known; several of them in order, so not `BAD` or `EACH`."""

_LEFT_OPEN = re.compile(r"(?=.*(?:\bor\b|或))(?:\W|_|[A-Z](?![A-Z])|\b(?:either|or|options?)\b|或)+", re.IGNORECASE)
"""`A or C` chooses neither, and not both."""
_ONE_LETTER = re.compile(r"\(?[A-H]\)?")


def compare(gold: str, answer: str, options: Sequence[str] = ()) -> Finding:
    """Says False as soon as the answer names an option that isn't the gold: no other mode may then accept."""
    known = tuple(options)
    try:
        wanted = gold_options(gold, known)
    except Conflict:
        return UNREADABLE
    if wanted is None or _is_symbol(gold, answer, known):
        return UNREADABLE
    try:
        given = chosen(answer, known)
    except Conflict as conflict:
        return Finding(False, str(conflict))
    if given is None:
        is_open = len(wanted) > 1 and _LEFT_OPEN.fullmatch(plain(answer))
        return Finding(False, "leaves it open which") if is_open else UNREADABLE
    return Finding(canonical(given, known) == canonical(wanted, known), f"chose {letters(given)}")


def _is_symbol(gold: str, answer: str, options: tuple[str, ...]) -> bool:
    """`M` and `m`, where no options are known: hardly an option M, and as symbols they differ."""
    wanted, given = plain(gold).strip("()"), plain(answer).strip("()")
    return not options and wanted > "H" and wanted != given and wanted.lower() == given.lower()


def gold_options(gold: str, options: tuple[str, ...]) -> frozenset[int] | None:
    """A gold that is literally one of the options is that option, even where it also looks like a letter."""
    for index, (option, text) in enumerate(zip(options, real_texts(options), strict=True)):
        if text and option.strip() == gold.strip():
            return frozenset({index})
    if not options and not _LETTERS.fullmatch(plain(gold)):
        return None
    return chosen(gold, options)


def is_letters(gold: str) -> bool:
    """Whether a gold is the letter of an option."""
    return _ONE_LETTER.fullmatch(plain(gold)) is not None


def letters(indices: frozenset[int]) -> str:
    return "".join(chr(ord("A") + index) for index in sorted(indices))
