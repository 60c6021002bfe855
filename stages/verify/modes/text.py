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
_PUNCTUATION = re.compile(r"[^\w\s.%$<>=+*/^\\-]|(?<!\d)\.|\.(?!\d)|-(?=[\s,.;:-]|$)|_")
"""A minus is said, a dash is not."""
_HAS_WORD = re.compile(r"[^\W\d_]{2}")
"""Without a word, brackets and commas are not punctuation but part of what is said."""
_LABEL = re.compile(r"[a-z]+\d[a-z\d]*")
"""A name such as `K12`."""
YES_NO = {"yes": "yes", "no": "no", "true": "yes", "false": "no", "correct": "yes", "incorrect": "no",
           "是": "yes", "否": "no", "对": "yes", "错": "no"}  # fmt: skip
_TOKEN = re.compile(r"[A-Za-z]+")
_SUBSTANCE = re.compile(r"(?:[A-Z][a-z]?\d{0,3}){2,}")
_FORMULA = re.compile(r"[=<>+*/^_≤≥]")
_SHORT_WORDS = frozenset("no ok tv us uk eu am pm is it in on at an so or mr ms dr st".split())
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
        if case_matters(plain(gold), plain(answer)):
            return Finding(None, "symbols in another case")
        return Finding(True, "same text after normalisation")
    if wanted in YES_NO:
        said = YES_NO.get(given) or _leading_yes_no(answer)
        if said is not None:
            return Finding(said == YES_NO[wanted], f"says {said}")
    return Finding(None, "different text")


def case_matters(gold: str, answer: str) -> bool:
    """Whether texts that differ in case alone name different things: `m < M`, `F = Ma`, `Co` and `CO`, `AB` and `ab`."""
    if gold == answer:
        return False
    wanted, given = _TOKEN.findall(gold), _TOKEN.findall(answer)
    differing = [(a, b) for a, b in zip(wanted, given, strict=False) if a != b and a.lower() == b.lower()]
    both_cases = any(_has_both_cases(tokens) for tokens in (wanted, given))
    if _SUBSTANCE.fullmatch(gold) and not gold.isupper():
        return True
    if len(gold) == 2 and gold.swapcase() == answer and gold.lower() not in _SHORT_WORDS:
        return True
    if _FORMULA.search(gold):
        return any(len(a) <= 3 for a, _ in differing)
    return any(
        (len(a) == 1 and both_cases)
        or (len(a) == 2 and a[0] == b[0] and a.lower() not in _SHORT_WORDS and a[0].isupper())
        for a, b in differing
    )


def _has_both_cases(tokens: list[str]) -> bool:
    letters = {token for token in tokens if len(token) == 1}
    return any(letter.swapcase() in letters for letter in letters)


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
