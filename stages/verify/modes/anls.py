"""Mode `anls`: short texts read off a document, forgiving misspellings (ANLS, arXiv 1907.00490).

An answer is right if its edit distance to the gold is less than half of the longer one's length. The reference
pipeline scores the distance itself instead of the similarity. Digits are not letters: a gold that holds digits
needs the same digits, else `2018` would pass for `2019`. ANLS is the best of several references: a gold in square
brackets is a list of them.
"""

from __future__ import annotations

from stages.verify.finding import UNREADABLE, Finding
from stages.verify.modes import list as list_mode
from stages.verify.notation import plain

THRESHOLD = 0.5
"""Normalised distance from which on an answer is wrong."""
MAX_LENGTH = 300
"""Characters of a text; the distance takes time with the square of it."""


def compare(gold: str, answer: str) -> Finding:
    """False if the answer is too far from the gold, or from every item of a gold in square brackets."""
    found = _compare(gold, answer)
    listed = list_mode.read_list(gold) if not found.equal else None
    if listed is None or listed[0] != "[":
        return found
    return next((one for one in (_compare(item, answer) for item in listed[1]) if one.equal), found)


def _compare(gold: str, answer: str) -> Finding:
    wanted, given = (" ".join(plain(side).lower().split()) for side in (gold, answer))
    if not wanted or not given or max(len(wanted), len(given)) > MAX_LENGTH:
        return UNREADABLE
    if _digits(wanted) != _digits(given):
        return Finding(False, "other digits")
    share = distance(wanted, given) / max(len(wanted), len(given))
    return Finding(share < THRESHOLD, f"normalised distance {share:.2f}")


def _digits(text: str) -> str:
    return "".join(char for char in text if char.isdigit())


def distance(a: str, b: str) -> int:
    """Levenshtein distance: insertions, deletions and substitutions that turn `a` into `b`."""
    row = list(range(len(b) + 1))
    for i, char in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (char != other))
    return row[-1]
