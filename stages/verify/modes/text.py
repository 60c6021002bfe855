"""Mode `text`: short free-form answers, equal up to case, punctuation, articles, number words and contractions."""

from __future__ import annotations

import re

from stages.verify.finding import UNREADABLE, Finding
from stages.verify.modes import exact
from stages.verify.notation import plain

MAX_LENGTH = 500
"""Characters of a free-form answer."""

_UP_TO_TEN = "zero one two three four five six seven eight nine ten"
_NUMBERS = {word: str(number) for number, word in enumerate(_UP_TO_TEN.split())}
_CONTRACTIONS = {
    "can't": "cannot",
    "won't": "will not",
    "n't": " not",
    "'re": " are",
    "'ll": " will",
    "'ve": " have",
}
_ARTICLES = frozenset({"a", "an", "the"})
_DROPPED = re.compile(r"(?<=\d),(?=\d{3}\b)|['\"]")
_PUNCTUATION = re.compile(r"[^\w\s.%$<>=+*/^\\-]|(?<!\d)\.|\.(?!\d)|(?<!\w)-|-(?!\w)|_")
_HAS_WORD = re.compile(r"[^\W\d_]{2}")
"""Without a word, brackets and commas are not punctuation but part of what is said."""
_LABEL = re.compile(r"[a-z]+\d[a-z\d]*")
"""A name such as `K12`."""
YES_NO = {"yes": "yes", "no": "no", "true": "yes", "false": "no", "correct": "yes", "incorrect": "no",
           "是": "yes", "否": "no", "对": "yes", "错": "no"}  # fmt: skip
_FIRST_WORD = re.compile(r"\s*([a-z]+)\b\s*(?:[,.;:!]|-|$)")


def compare(gold: str, answer: str) -> Finding:
    """False only between yes and no; other texts that differ may be equal to another mode."""
    if len(gold) > MAX_LENGTH or len(answer) > MAX_LENGTH:
        return UNREADABLE
    if exact.compare(gold, answer).equal:
        # Whatever it consists of: `U.S.`, `2:35 P.M.`, `5:0`.
        return Finding(True, "same text")
    wanted, given = normal_text(gold), normal_text(answer)
    if not given or not (_HAS_WORD.search(wanted) or _LABEL.fullmatch(wanted)) or "\\" in wanted + given:
        return UNREADABLE
    if wanted == given:
        return Finding(True, "same text after normalisation")
    if wanted in YES_NO:
        said = YES_NO.get(given) or _leading_yes_no(answer)
        if said is not None:
            return Finding(said == YES_NO[wanted], f"says {said}")
    return Finding(None, "different text")


def normal_text(text: str) -> str:
    """The text as compared: lower case, digits for number words, no articles, single blanks."""
    text = plain(text).lower()
    for short, long in _CONTRACTIONS.items():
        text = text.replace(short, long)
    text = _DROPPED.sub("", text)
    text = _PUNCTUATION.sub(" ", text)
    *words, last = text.split() or [""]
    # An article at the end is a letter, as in `vitamin A`.
    return " ".join([*(_NUMBERS.get(word, word) for word in words if word not in _ARTICLES), _NUMBERS.get(last, last)])


def _leading_yes_no(answer: str) -> str | None:
    """`No, it is not` says no."""
    match = _FIRST_WORD.match(plain(answer).lower())
    return YES_NO.get(match.group(1)) if match else None
