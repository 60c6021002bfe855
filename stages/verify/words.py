"""Numbers in words: `two hundred five`, `minus 5`, `two point five`, `three eighths`, `one and a half`, `6 out of 10`."""

from __future__ import annotations

import re
from fractions import Fraction

_UP_TO_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen twenty"
)
_TENS = "ten twenty thirty forty fifty sixty seventy eighty ninety"
NUMBER_WORDS = {word: number for number, word in enumerate(_UP_TO_TWENTY.split())} | {
    word: 10 * number for number, word in enumerate(_TENS.split(), 1)
}
SCALES = {
    "hundred": 100,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
    "dozen": 12,
    "万": 10**4,
    "亿": 10**8,
}
_ORDINALS = (
    "third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth"
    " seventeenth eighteenth nineteenth twentieth"
).split()
_PARTS = {word: number for number, word in enumerate(_ORDINALS, 3)} | {
    "half": 2, "quarter": 4, "thirtieth": 30, "fortieth": 40, "fiftieth": 50, "sixtieth": 60, "seventieth": 70,
    "eightieth": 80, "ninetieth": 90, "hundredth": 100, "thousandth": 1000, "millionth": 10**6, "billionth": 10**9,
}  # fmt: skip
_PLURALS = {("halves" if word == "half" else f"{word}s"): number for word, number in _PARTS.items()}
OF_NUMBERS = frozenset(
    [*NUMBER_WORDS, *(word for word in SCALES if word.isascii()), *_PARTS, *_PLURALS, "point", "times"]
)
"""Words that make another number of the number before them."""

_WORD = re.compile(r"[\s-]*([A-Za-z]+)(?![A-Za-z])")
_LITERAL = re.compile(r"\s*(\d{1,12}(?:,\d{3}){0,5}(?:\.\d{1,12})?)(?![\d.,/])")
_SIGN = re.compile(r"\s*(negative|minus)\s+(?=[\w$])", re.IGNORECASE)
_OF_ALL = re.compile(r"\s+(?:out\s+of|in|of\s+every)\s+(?:every\s+)?", re.IGNORECASE)
_MAX_WORDS = 20


def read_words(text: str) -> tuple[Fraction, int] | None:
    """The number that a text begins with, if words say it or change it, and where it ends; None for other texts."""
    sign = _SIGN.match(text)
    start = sign.end() if sign else 0
    found = _unsigned(text, start)
    if found is None and sign and (literal := _LITERAL.match(text, start)):
        found = _of_literal(literal)
    if found is None:
        return None
    value, end = found
    return (-value if sign else value), end


def _of_literal(literal: re.Match[str]) -> tuple[Fraction, int]:
    return Fraction(literal.group(1).replace(",", "")), literal.end(1)


def _unsigned(text: str, start: int) -> tuple[Fraction, int] | None:
    literal = _LITERAL.match(text, start)
    if literal:
        value, end = _of_literal(literal)
    elif found := _cardinal(text, start):
        value, end = found
    else:
        return _half(text, start)
    worded = literal is None
    for more in (_decimals, _part, _and_part, _share):
        if (found := more(text, value, end)) is not None:
            value, end = found
            worded = True
    return (value, end) if worded else None


def _word(text: str, position: int) -> tuple[str, int]:
    match = _WORD.match(text, position)
    return (match.group(1).lower(), match.end()) if match else ("", position)


def _half(text: str, start: int) -> tuple[Fraction, int] | None:
    """`half`, `a third`, `half a dozen`."""
    word, end = _word(text, start)
    if word in ("a", "an"):
        word, end = _word(text, end)
        return (Fraction(1, _PARTS[word]), end) if word in _PARTS else None
    if word != "half":
        return None
    article, after = _word(text, end)
    dozen, after = _word(text, after)
    return (Fraction(6), after) if (article, dozen) == ("a", "dozen") else (Fraction(1, 2), end)


def _cardinal(text: str, start: int) -> tuple[Fraction, int] | None:
    """Words for a whole number: as many as fit together."""
    total, current, last = 0, 0, 0
    end = start
    for _ in range(_MAX_WORDS):
        word, after = _word(text, end)
        if word == "and" and current + total >= 100:
            word, after = _word(text, after)
            if word not in NUMBER_WORDS:
                break
        if word in NUMBER_WORDS:
            number = NUMBER_WORDS[word]
            if not _fits(number, current, last, end == start):
                return None
            current, last = current + number, number
        elif word in SCALES and (end != start or word == "dozen"):
            current = max(current, 1) * SCALES[word]
            if SCALES[word] > 100:
                total, current = total + current, 0
            last = 100
        elif word in ("a", "an") and end == start and _word(text, after)[0] in SCALES:
            current = 1
        else:
            break
        end = after
    return (Fraction(total + current), end) if end > start else None


def _fits(number: int, current: int, last: int, first: bool) -> bool:
    """`twenty five` and `hundred five`, but no `two five` and no `five twenty`."""
    if first or last == 100:
        return True
    return 20 <= last < 100 and 0 < number < 10 and current % 10 == 0


def _decimals(text: str, value: Fraction, end: int) -> tuple[Fraction, int] | None:
    """`point two five` after a whole number."""
    word, position = _word(text, end)
    if word != "point" or value.denominator != 1:
        return None
    digits = ""
    while (word := _word(text, position)[0]) in NUMBER_WORDS and NUMBER_WORDS[word] < 10 and len(digits) < _MAX_WORDS:
        digits += str(NUMBER_WORDS[word])
        position = _word(text, position)[1]
    return (value + Fraction(int(digits), 10 ** len(digits)), position) if digits else None


def _part(text: str, value: Fraction, end: int) -> tuple[Fraction, int] | None:
    """`three eighths`, `one third`; an ordinal after another number, as in `twenty third`, is no part."""
    word, after = _word(text, end)
    size = _PARTS.get(word) if value == 1 else _PLURALS.get(word)
    return None if size is None else (value / size, after)


def _and_part(text: str, value: Fraction, end: int) -> tuple[Fraction, int] | None:
    """`one and a half`, `two and three quarters`."""
    word, after = _word(text, end)
    if word != "and" or value.denominator != 1:
        return None
    found = _half(text, after)
    if found is None and (number := _cardinal(text, after)) is not None:
        found = _part(text, *number)
    return (value + found[0], found[1]) if found is not None and found[0] < 1 else None


def _share(text: str, value: Fraction, end: int) -> tuple[Fraction, int] | None:
    """`6 out of 10`, `one in six`, up to the end of the text."""
    match = _OF_ALL.match(text, end)
    if match is None:
        return None
    literal = _LITERAL.match(text, match.end())
    found = _of_literal(literal) if literal else _cardinal(text, match.end())
    if found is None or text[found[1] :].strip(" .") or not 0 <= value <= found[0] or found[0] == 0:
        return None
    return value / found[0], found[1]
