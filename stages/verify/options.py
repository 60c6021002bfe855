"""The options of a multiple choice: found in a question's text, and recognised in an answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from stages.verify.hedges import hedge
from stages.verify.modes import number
from stages.verify.modes.text import normal_text
from stages.verify.notation import ascii_punctuation, first_sentence, plain
from stages.verify.quantity import read_quantity

MAX_OPTIONS = 26
"""Options A to Z."""
MAX_QUESTION = 20_000
"""Characters of a question, from its end, in which options are looked for."""
MAX_LENGTH = 400
"""Characters of an answer that is compared with options."""

_MARK = re.compile(r"(?:(?<=^)|(?<=[\s,;]))(?:\(([A-Z])\)|([A-Z])\s?[.):、](?!\w\.))\s*", re.MULTILINE)
_RUN_ON = re.compile(r"(?<![A-Za-z])(?:\(([A-Z])\)|([A-Z])[.、])\s*")


@lru_cache(maxsize=1024)
def options_in(question: str) -> tuple[str, ...]:
    """The texts of the last run `A … B … C …` in a question; empty if it has no such run of two or more."""
    question = ascii_punctuation(question[-MAX_QUESTION:])
    return _runs(question, _MARK) or _runs(question, _RUN_ON)


def _runs(question: str, mark: re.Pattern[str]) -> tuple[str, ...]:
    best: list[re.Match[str]] = []
    run: list[re.Match[str]] = []
    for match in mark.finditer(question):
        letter = match.group(1) or match.group(2)
        if letter == "A":
            run = [match]
        elif run and ord(letter) == ord("A") + len(run):
            run.append(match)
        if len(run) > 1:
            best = run
    if not best:
        return ()
    ends = [match.start() for match in best[1:]] + [len(question)]
    return tuple(
        question[match.end() : end].split("\n\n")[0].strip(" \n\t,;") for match, end in zip(best, ends, strict=True)
    )


_LETTERS = re.compile(
    r"(?:(?:option|choice|answer|options|choices)s?\s*:?\s*)?[(\[]?\s*([A-Z])\s*[)\]]?"
    r"((?:\s*(?:,|、|;|and|&|/|和|,\s*and)\s*[(\[]?[A-Z][)\]]?){0,25})$"
)
_SMALL_LETTER = re.compile(r"[(\[]?([a-z])[)\]]?")
_BRACKETED = re.compile(r"(?:\([A-Z]\)\s?){2,26}")
_RUN = re.compile(r"\(?([A-Z]{2,8})\)?$")
_LETTER_AND_TEXT = re.compile(
    r"(?:(?:option|choice|answer)\s*:?\s*)?(?:[(\[]\s*([A-Z])\s*[)\]]|([A-Z])\s*[.):、,-](?=\D))\s*[:.,-]?\s*(.+)$",
    re.I,
)
_BARE_LETTER_AND_TEXT = re.compile(r"(?:(?:option|choice)\s+)?([A-Z]|a(?=\s))\s+\(?(.+?)\)?$")
_ALTERNATIVE = re.compile(r"(?i:or|and|nor|vs)\b|[/&|]|[(\[]([A-Z])[)\]]|([A-Z])(?=\s?(?:[,;)]|$|(?:or|and)\b))")
"""What follows a letter that is not chosen alone."""
_DENIALS = ("not", "no", "never", "neither", "nor", "except", "than", "cannot be", "not be")
_WORD = re.compile(r"[A-Za-z]{2,}")
_REASON = re.compile(r"\s*(?:because|since|as|is|which|,|with|would|should|has)\b", re.IGNORECASE)


class Conflict(ValueError):
    """The answer names an option by its letter and another one beside it, or takes its choice back."""


@lru_cache(maxsize=4096)
def chosen(answer: str, options: tuple[str, ...]) -> frozenset[int] | None:
    """The options (0 is A) that `answer` names by letter, text or both; None if it names none.

    Without `options`, letters A to Z count.

    Raises:
        Conflict: letter and text disagree, another option is named beside, or the choice is denied.
    """
    answer = plain(answer)
    if not answer or len(answer) > MAX_LENGTH:
        return None
    count = len(options) or MAX_OPTIONS
    if len(answer) > 1 and answer in (texts := [plain(option) for option in options]):
        return frozenset({texts.index(answer)})
    if (found := _by_letters(answer, count)) is not None:
        return found
    named = _letter_and_text(answer, options, count)
    if named is None:
        named = _by_text(answer, options)
    return None if named is None else frozenset({named})


def names_option(answer: str, options: tuple[str, ...]) -> bool:
    """Whether the answer names an option, rightly or in contradiction with itself."""
    try:
        return chosen(answer, options) is not None
    except Conflict:
        return True


def _by_letters(answer: str, count: int) -> frozenset[int] | None:
    match = _LETTERS.match(answer)
    if match:
        found = [match.group(1), *re.findall(r"(?<![A-Za-z])[A-Z](?![A-Za-z])", match.group(2))]
    elif _BRACKETED.fullmatch(answer):
        found = re.findall(r"[A-Z]", answer)
    elif (run := _RUN.match(answer)) and len(set(run.group(1))) == len(run.group(1)):
        found = list(run.group(1))
    elif small := _SMALL_LETTER.fullmatch(answer):
        found = [small.group(1).upper()]
    else:
        return None
    indices = frozenset(ord(letter) - ord("A") for letter in found)
    return indices if max(indices) < count else None


def canonical(chosen: frozenset[int], options: Sequence[str]) -> frozenset[int]:
    """Options with the same text count as the first of them."""
    texts = [option.strip() for option in options]
    return frozenset(texts.index(texts[index]) if index < len(texts) else index for index in chosen)


def _letter_and_text(answer: str, options: tuple[str, ...], count: int) -> int | None:
    """`(B) 12`, `B. 12`, `B: because …`; a bare `B 12` only if the text is B's or gives a reason.

    `A polygon` is a text that begins with an article; `A 54` names option A, and contradicts itself if B is 54.
    """
    if match := _LETTER_AND_TEXT.match(answer):
        letter, rest = (match.group(1) or match.group(2)).upper(), match.group(3)
    elif bare := _BARE_LETTER_AND_TEXT.match(answer):
        letter, rest = bare.group(1).upper(), bare.group(2)
    else:
        return None
    index = ord(letter) - ord("A")
    other = _ALTERNATIVE.match(rest)
    if index >= count or (other and letter not in (other.group(1), other.group(2))):
        return None
    named = _by_text(plain(rest), options)
    said = named if named is not None else _by_text(plain(first_sentence(rest)), options)
    agree = named is not None and _same_option(named, index, options)
    article = match is None and letter == "A" and _takes_article(rest)
    if said is not None and not article and not _same_option(said, index, options):
        raise Conflict(f"letter {letter}, but the text of option {chr(ord('A') + said)}")
    if (not agree or first_sentence(rest) != rest) and (why := hedge(plain(rest), index, options)):
        raise Conflict(why)
    if match is None:
        return index if agree or (named is None and answer[0].isupper() and _REASON.match(rest)) else None
    return index


def _same_option(one: int, other: int, options: tuple[str, ...]) -> bool:
    return canonical(frozenset({one}), options) == canonical(frozenset({other}), options)


def _takes_article(text: str) -> bool:
    """`polygon` and `12 cm ruler` do; `54`, `12 cm` and `x^2` don't."""
    quantity = read_quantity(text)
    return bool(_WORD.search(text)) and (quantity is None or bool(quantity.noun))


@lru_cache(maxsize=4096)
def _by_text(answer: str, options: tuple[str, ...]) -> int | None:
    """The one option whose text the answer is: as words, as a number with its unit, or as a number alone."""
    for same in (_same_text, _same_number, _same_value):
        hits = [index for index, option in enumerate(options) if same(option, answer)]
        if len(canonical(frozenset(hits), options)) == 1:
            return hits[0]
    return None


def _same_text(option: str, answer: str) -> bool:
    wanted = normal_text(option)
    return bool(wanted) and wanted == normal_text(answer)


def _same_number(option: str, answer: str) -> bool:
    wanted, given = read_quantity(option), read_quantity(answer)
    return wanted is not None and given is not None and number.compare_quantities(wanted, given).equal is True


def _same_value(option: str, answer: str) -> bool:
    wanted, given = read_quantity(option), read_quantity(answer)
    return wanted is not None and given is not None and number.same_value(wanted.value, given.value)


def mentioned(sentence: str, options: Sequence[str]) -> int | None:
    """The one option whose text stands in `sentence` as whole words; None for none, several, or a denied one.

    An option that is part of a longer mentioned option doesn't count: `odd` in `neither odd nor even`.
    """
    words = f" {normal_text(sentence)} "
    hits = [(index, normal_text(option)) for index, option in enumerate(options)]
    hits = [(index, text) for index, text in hits if text and f" {text} " in words]
    longest = [hit for hit in hits if not any(hit[1] != text and f" {hit[1]} " in f" {text} " for _, text in hits)]
    if len(longest) != 1:
        return None
    index, text = longest[0]
    return None if any(f" {denial} {text} " in words for denial in _DENIALS) else index
